"""One call as if: of another model, in a batch, elsewhere, cached otherwise; each with its cost or why it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.dashboard.blocks import Block, Cell, Column, Field, Form, Note, Table, Tone
from farthing.dashboard.cells import MINUS, dollars, share_of, text, usd
from farthing.money import display
from farthing.reports.sums import percent
from farthing.units import weakest
from farthing.whatif.replay.as_if import AS_LONG, CACHE_HOLDS, as_if, read_wish, usual_wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.call import Call
    from farthing.dashboard.visit import Visit
    from farthing.prices.bill import Bill
    from farthing.whatif.replay.as_if import AsIf

_OF_ALL = (AS_LONG, CACHE_HOLDS)
"""Said once, below the table."""
_FINE_PUSD = 10**10, 10**12
_SAID = {
    "batch=true": "in a batch",
    "batch=false": "not in a batch",
    "geo=us": "in the US alone",
    "geo=global": "anywhere",
    "speed=fast": "in fast mode",
    "speed=standard": "not in fast mode",
    "cache=none": "without a cache",
    "ttl=5m": "cached for 5 minutes",
    "ttl=1h": "cached for an hour",
}


def as_if_blocks(visit: Visit, call: Call, bill_table: Callable[[str, str, Bill], Table]) -> tuple[Block, ...]:
    """Every usual choice, and the one in the address line by line."""
    terms = visit.desk.terms if visit.is_contract else None
    book, asked = visit.desk.book, visit.asked.said("as_if")
    found = [as_if(call, wish, book, terms=terms) for wish in usual_wishes(call, book)]
    chosen = as_if(call, read_wish(asked, book), book, terms=terms) if asked else None
    if chosen is not None and all(one.wish.text != chosen.wish.text for one in found):
        found.append(chosen)
    hint = "Several by commas, as farthing whatif --choose takes them."
    fields = (Field("as_if", "As if", asked, hint=hint, placeholder="model=claude-haiku-5-5,batch=true"),)
    form = Form("The same request, chosen otherwise", fields, "Work it out")
    one = () if chosen is None else _opened(visit, chosen, bill_table)
    return (*one, _table(visit, found, asked), form)


def _opened(visit: Visit, one: AsIf, bill_table: Callable[[str, str, Bill], Table]) -> tuple[Block, ...]:
    said = _name(one)
    back = (("As it was", visit.asked.url(open=visit.asked.open, given=())),)
    if one.bill is None or one.pusd is None or one.saved_pusd is None:
        return (Note(f"{one.why_not[:1].upper()}{one.why_not[1:]}.", f"As if {said}: it cannot be", "warn", back),)
    told = f"{_fine(one.pusd)}: {_difference(one)}. "
    told += f"It assumes that {'; that '.join(one.assumes)}." if one.assumes else "Nothing is assumed."
    bill = bill_table("bill_as_if", "The bill it would have had", one.bill)
    return (Note(told, f"As if {said}", links=back), bill._replace(kind=str(one.kind)))


def _difference(one: AsIf) -> str:
    assert one.pusd is not None
    assert one.saved_pusd is not None
    if not one.saved_pusd:
        return "the same"
    was = one.pusd + one.saved_pusd
    verb = "less" if one.saved_pusd > 0 else "more"
    return f"{_fine(abs(one.saved_pusd))} {verb}" + (f", {percent(abs(one.saved_pusd), was)}" if was else "")


def _fine(pusd: int) -> str:
    """An amount of one call: cents alone would hide what differs."""
    least, most = _FINE_PUSD
    return f"${display(pusd, 4)}" if least <= pusd < most else dollars(pusd)


def _name(one: AsIf) -> str:
    return ", ".join(_SAID.get(part, part.removeprefix("model=")) for part in one.wish.text.split(","))


def _table(visit: Visit, found: list[AsIf], asked: str) -> Table:
    columns = (
        Column("choice", "Choice"),
        Column("usd", "Would cost", is_number=True),
        Column("difference_usd", "Difference", is_number=True),
        Column("percent", "", is_number=True),
        Column("kind", "How sure"),
        Column("says", "Assumes, or why not"),
    )
    ranked = sorted(found, key=lambda one: (one.pusd is None, one.pusd or 0, one.wish.text))
    most = max((one.pusd for one in found if one.pusd is not None), default=0)
    rows = tuple(_row(visit, one, most, is_chosen=one.wish.text == asked) for one in ranked)
    known = [one.kind for one in found if one.pusd is not None]
    where = "under the contract" if visit.is_contract and visit.desk.terms is not None else "at list"
    note = f"Each by itself, at the prices of the call's own day, {where}."
    said = [one for one in _OF_ALL if any(one in other.assumes for other in found)]
    note += f" Of another model, batch, region or speed it is taken that {' and that '.join(said)}." if said else ""
    return Table("as_if", "As if", columns, rows, str(weakest(*known)) if known else "", note, "Nothing else is known.")


def _row(visit: Visit, one: AsIf, most: int, *, is_chosen: bool) -> tuple[Cell, ...]:
    href = visit.asked.url(open=visit.asked.open, given=(("as_if", one.wish.text),))
    name = Cell(_name(one) + (" \u2190" if is_chosen else ""), one.wish.text, href)
    if one.pusd is None or one.saved_pusd is None:
        empty = Cell("", None)
        return (name, Cell("cannot be", None, tone="quiet"), empty, empty, empty, text(one.why_not, tone="quiet"))
    tone: Tone = "good" if one.saved_pusd > 0 else "bad" if one.saved_pusd < 0 else "quiet"
    was = one.pusd + one.saved_pusd
    sign = "" if not one.saved_pusd else MINUS if one.saved_pusd > 0 else "+"
    told = f"{sign}{_fine(abs(one.saved_pusd))}" if one.saved_pusd else "the same"
    more = usd(-one.saved_pusd, tone=tone)._replace(text=told)
    return (
        name,
        usd(one.pusd, share=share_of(one.pusd, most))._replace(text=_fine(one.pusd)),
        more,
        Cell(f"{sign}{percent(abs(one.saved_pusd), was)}" if was and one.saved_pusd else "", None),
        text(str(one.kind)),
        Cell("; ".join(said for said in one.assumes if said not in _OF_ALL), "; ".join(one.assumes), tone="quiet"),
    )
