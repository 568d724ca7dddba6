"""
A price or model change against calls one really made: what they would have cost, beside what they did. Pure.

Before is always each call as the book prices it on its own day. After is the same call under another book, on another
day, on another model, or all three. A call that has no exact price on one side is in no difference: it is counted, and
what it cost before is told beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.errors import BadInput
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest
from farthing.whatif.remodel import factor, remodel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farthing.call import Call, Served
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model
    from farthing.whatif.remodel import Belief


class Line(NamedTuple):
    """
    One model's calls, by what the book calls it.

    Attributes:
        model: Canonical id before; id as reported where the book has none.
        becomes: Canonical id after, the same where it stays.
        calls: How many, all of them.
        before_pusd: Of those with an exact price on both sides; after_pusd: likewise.
        low_pusd: After, at the low end of what is believed; high_pusd: at the high end. Equal to ``after_pusd`` where
            nothing is believed.
        unpriced_before: Calls without an exact price before.
        unpriced_after: Of the others, those without one after.
        lost_pusd: What ``unpriced_after`` cost before.
        reason: Why the first of the unpriced has no price; empty: all have one.

    """

    model: str
    becomes: str
    calls: int
    before_pusd: int
    after_pusd: int
    low_pusd: int
    high_pusd: int
    unpriced_before: int = 0
    unpriced_after: int = 0
    lost_pusd: int = 0
    reason: str = ""


class Impact(NamedTuple):
    """
    A change against one's own calls.

    Attributes:
        lines: Per model, the largest difference first.
        kind: ``derived``, or ``assumed`` where a tokenizer's factor or a price is believed.
        notes: What was believed, one sentence each.
        before_book, after_book: Versions.

    """

    lines: tuple[Line, ...]
    kind: Kind
    notes: tuple[str, ...]
    before_book: str
    after_book: str

    @property
    def before_pusd(self) -> int:
        """Of the calls priced on both sides."""
        return sum(line.before_pusd for line in self.lines)

    @property
    def after_pusd(self) -> int:
        """Likewise."""
        return sum(line.after_pusd for line in self.lines)

    @property
    def calls(self) -> int:
        """All of them."""
        return sum(line.calls for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        """JSON values; amounts are exact decimal strings."""
        return {
            "calls": self.calls,
            "before_usd": money.usd_text(self.before_pusd),
            "after_usd": money.usd_text(self.after_pusd),
            "moved_usd": money.usd_text(self.after_pusd - self.before_pusd),
            "low_usd": money.usd_text(sum(line.low_pusd for line in self.lines)),
            "high_usd": money.usd_text(sum(line.high_pusd for line in self.lines)),
            "lines": [_line_json(line) for line in self.lines],
            "kind": str(self.kind),
            "notes": list(self.notes),
            "before_book": self.before_book,
            "after_book": self.after_book,
        }


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "model": line.model,
        "becomes": line.becomes,
        "calls": line.calls,
        "before_usd": money.usd_text(line.before_pusd),
        "after_usd": money.usd_text(line.after_pusd),
        "low_usd": money.usd_text(line.low_pusd),
        "high_usd": money.usd_text(line.high_pusd),
        "unpriced_before": line.unpriced_before,
        "unpriced_after": line.unpriced_after,
        "lost_usd": money.usd_text(line.lost_pusd),
        "reason": line.reason,
    }


def impact(
    calls: Iterable[Call],
    book: PriceBook,
    *,
    after_book: PriceBook | None = None,
    on: date | None = None,
    becomes: Mapping[str, str] | None = None,
) -> Impact:
    """
    What *calls* cost, and would under a change.

    Args:
        calls: Each is read once.
        book: Prices them as they were.
        after_book: Prices them after the change; None: *book*.
        on: The day whose rates apply after the change; None: each call's own.
        becomes: Models that others take over: an id the book knows to another; None: none.

    Raises:
        BadInput: An id of *becomes* is in no book.

    """
    later = after_book or book
    swaps = {model_named(book, old).id: model_named(later, new) for old, new in (becomes or {}).items()}
    told = _Told(book, later, on, swaps)
    for call in calls:
        told.add(call)
    return told.impact()


def model_named(book: PriceBook, model_id: str) -> Model:
    """
    The model of that id, on whatever channel.

    Raises:
        BadInput: The book has none; the message names its nearest.

    """
    named = book.names.find(model_id)
    if named is None:
        raise BadInput(
            f"looked for model {model_id!r}",
            "an id of the price book",
            f"nearest: {', '.join(book.names.nearest(model_id))}",
        )
    return named.model


def at_noon(day: date) -> datetime:
    """A time of that UTC day."""
    return datetime.combine(day, time(12), UTC)


class _Sum:
    __slots__ = ("after", "becomes", "before", "calls", "ends", "lost", "reason", "unpriced_after", "unpriced_before")

    def __init__(self, becomes: str) -> None:
        self.becomes = becomes
        self.calls = self.before = self.after = self.lost = 0
        self.ends = {"low": 0, "high": 0}
        self.unpriced_before = self.unpriced_after = 0
        self.reason = ""


class _Told:
    """Adds calls up."""

    def __init__(self, book: PriceBook, later: PriceBook, on: date | None, swaps: Mapping[str, Model]) -> None:
        self._book, self._later, self._on, self._swaps = book, later, on, swaps
        self._sums: dict[str, _Sum] = {}
        self._kinds: set[Kind] = set()
        self._notes: dict[str, None] = {}
        self._too_short: dict[str, int] = {}
        self._ends: dict[tuple[str, str], tuple[Belief, ...]] = {}

    def add(self, call: Call) -> None:
        """Price one call on both sides."""
        served = call.served
        named = self._book.names.find(served.model, served.channel)
        model_id = named.model.id if named else served.model
        new = self._swaps.get(model_id)
        line = self._sums.setdefault(model_id, _Sum(new.id if new else model_id))
        line.calls += 1
        before = price_served(self._book, served, call.sent_at)
        if before.list_pusd is None:
            line.unpriced_before += 1
            line.reason = line.reason or "; ".join(before.unpriced)
            return
        changed: dict[str, Served] = dict.fromkeys(("typical", "low", "high"), served)
        if named is not None and new is not None:
            beliefs = self._ends.get((model_id, new.id))
            if beliefs is None:
                beliefs = self._ends[model_id, new.id] = self._beliefs(named.model, new)
            for belief in beliefs:
                moved = remodel(served, named, new, belief)
                changed[belief] = moved.served
                if belief == "typical" and moved.below_prefix_min:
                    self._too_short[new.id] = self._too_short.get(new.id, 0) + 1
        after = self._bill(changed["typical"], call)
        if after.list_pusd is None:
            line.unpriced_after += 1
            line.lost += before.list_pusd
            line.reason = line.reason or "; ".join(after.unpriced)
            return
        self._kinds |= {before.kind, after.kind}
        line.before += before.list_pusd
        line.after += after.list_pusd
        for end in line.ends:
            same = changed[end] is changed["typical"]
            bound = after if same else self._bill(changed[end], call)
            line.ends[end] += after.list_pusd if bound.list_pusd is None else bound.list_pusd

    def _bill(self, served: Served, call: Call) -> Bill:
        return price_served(self._later, served, call.sent_at if self._on is None else at_noon(self._on))

    def _beliefs(self, old: Model, new: Model) -> tuple[Belief, ...]:
        """Which ends of the tokenizers' factor there are to look at; says which factor is believed."""
        self._notes[f"{new.id}: taken to answer with the same text as {old.id}; its quality is not known here"] = None
        if old.tokenizer == new.tokenizer:
            return ("typical",)
        low, typical, high = (float(factor(old, new, end)) for end in ("low", "typical", "high"))
        self._notes[
            f"{old.id} to {new.id}: another tokenizer; assumed {typical:.2f} tokens for one ({low:.2f} to {high:.2f})"
        ] = None
        return ("typical", "low", "high")

    def impact(self) -> Impact:
        """All that was added."""
        lines = [
            Line(
                model,
                line.becomes,
                line.calls,
                line.before,
                line.after,
                min(line.ends["low"], line.after),
                max(line.ends["high"], line.after),
                line.unpriced_before,
                line.unpriced_after,
                line.lost,
                line.reason,
            )
            for model, line in self._sums.items()
        ]
        lines.sort(key=lambda line: (-abs(line.after_pusd - line.before_pusd), -line.lost_pusd, line.model))
        notes = [*self._notes]
        notes += [
            f"{model}: {count:,} calls cache less than its shortest prefix there, so all of it counts as plain input"
            for model, count in self._too_short.items()
        ]
        believed = Kind.ASSUMED if self._swaps else Kind.DERIVED
        kind = weakest(believed, *self._kinds)
        return Impact(tuple(lines), kind, tuple(notes), self._book.version, self._later.version)
