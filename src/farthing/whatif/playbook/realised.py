"""
Realised against predicted: what applied steps have saved since, as far as calls show that anything changed. Pure.

Whether a step is carried out is read from the facts of later calls, never from the policy: the model that served, the
batch, speed and region, the effort asked for, the breakpoints set. Calls that show it are charged as they would have
been without it: by a replay with the lever turned back, where a lever can be; for effort and caching by what the same
kind of call cost before. Where the lever was turned for some calls before, only what came on top counts.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.ledger.interface import Stored
from farthing.money import nearest
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest
from farthing.whatif.playbook.days import MONTH_DAYS
from farthing.whatif.replay.amounts import amount, without_volume
from farthing.whatif.replay.choice import Choice, value_of
from farthing.whatif.replay.lengths import Lengths
from farthing.whatif.replay.replay import given_of
from farthing.whatif.replay.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from farthing.call import Call
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.playbook.journal import Entry
    from farthing.whatif.playbook.policy import StepTable

_TURNED_BACK = {"speed": {"standard": "fast", "fast": "standard"}, "inference_geo": {"global": "us", "us": "global"}}
_OUTPUT = 4
_DAY = timedelta(days=1)


class Realised(NamedTuple):
    """
    One applied step.

    Attributes:
        entry: How it was applied.
        days: Since then, up to now.
        calls: Calls it is about since then. visible: of them, those that show it.
        share_before: Share of them that showed it in the window it was judged on; None without calls there.
        saved_pusd: What it saved; None where that cannot be told. kind: how sure.
        predicted_pusd: What it was predicted to save in so many days.
        says: One sentence on where it stands.

    """

    entry: Entry
    days: float
    calls: int
    visible: int
    share_before: float | None
    saved_pusd: int | None
    kind: Kind
    predicted_pusd: int
    says: str


def realised(
    calls: Iterable[Call | Stored],
    entries: Sequence[Entry],
    book: PriceBook,
    now: datetime,
    *,
    terms: ContractTerms | None = None,
) -> list[Realised]:
    """
    Judge applied steps.

    Args:
        calls: In order of ``sent_at``, from the beginning of the first window on: read once.
        entries: Applied steps.
        book: Prices.
        now: Until when; aware.
        terms: The contract in force.

    """
    watches = [_Watch(entry, book, without_volume(terms)) for entry in entries]
    for one in calls:
        call = one.call if isinstance(one, Stored) else one
        if call.sent_at >= now:
            break
        concerned = [watch for watch in watches if watch.is_about(call)]
        bill = price_served(book, call.served, call.sent_at) if concerned else None
        if bill is not None and bill.list_pusd is not None:
            for watch in concerned:
                watch.take(call, bill)
    return [watch.verdict(now) for watch in watches]


def realised_since(entries: Sequence[Entry]) -> datetime | None:
    """From when on the calls are needed; None without entries."""
    return min((min(one.predicted.since, one.at) for one in entries), default=None)


class _Tally:
    """Calls of a step's scope in one window; sums are of those that the window is compared by."""

    def __init__(self) -> None:
        self.calls = 0
        self.visible = 0
        self.modes: Counter[str] = Counter()
        self.output_tokens = self.output_pusd = self.prompt_pusd = self.plain_pusd = 0

    def add(self, call: Call, bill: Bill) -> None:
        usage, component = call.served.usage, bill.components[0]
        rates = [rate or 0 for rate in component.band.rates]
        used = (
            usage.input_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
        )
        self.output_tokens += usage.output_tokens
        self.output_pusd += usage.output_tokens * rates[_OUTPUT]
        self.prompt_pusd += sum(count * rate for count, rate in zip(used, rates, strict=False))
        self.plain_pusd += usage.prompt_tokens * rates[0]


class _Watch:
    """One applied step over the calls before and after."""

    def __init__(self, entry: Entry, book: PriceBook, terms: ContractTerms | None) -> None:
        self._entry = entry
        self._book = book
        self._terms = terms
        self._before, self._after = _Tally(), _Tally()
        self._measured_after = _Tally()
        self._back = _turned_back(entry.step)
        self._run = Run(Choice.of(**self._back), book, terms) if self._back else None
        self._lengths = Lengths()
        self._actual_pusd = 0

    def is_about(self, call: Call) -> bool:
        """Whether it is a call of the step's scope, in one of the two windows."""
        entry = self._entry
        if not (entry.predicted.since <= call.sent_at < entry.predicted.until + _DAY or call.sent_at >= entry.at):
            return False
        step = entry.step
        return all(
            value_of(call, name) in values or (name == "model" and step.model is not None and self._is_new(call))
            for name, values in step.where.items()
        )

    def take(self, call: Call, bill: Bill) -> None:
        after = call.sent_at >= self._entry.at
        tally = self._after if after else self._before
        tally.calls += 1
        tally.modes[mode_of(call)] += 1
        shows = self._shows(call)
        tally.visible += shows
        if not after and not shows:
            tally.add(call, bill)
        if after and shows:
            self._measured_after.calls += 1
            self._measured_after.add(call, bill)
            pusd = amount(bill, call.sent_at, self._terms)
            self._actual_pusd += pusd
            if self._run is not None:
                self._run.take(given_of(call, bill, pusd, self._lengths))

    def verdict(self, now: datetime) -> Realised:
        entry, after = self._entry, self._after
        days = max(0.0, (now - entry.at) / _DAY)
        predicted = nearest(Fraction(entry.predicted.a_month_pusd) * Fraction(days) / MONTH_DAYS)
        before = self._before.visible / self._before.calls if self._before.calls else None
        saved, kind, says = self._saved(before)
        return Realised(entry, days, after.calls, after.visible, before, saved, kind, predicted, says)

    def _saved(self, before: float | None) -> tuple[int | None, Kind, str]:
        after = self._after
        if not after.calls:
            return None, Kind.MEASURED, "no such calls since"
        share = after.visible / after.calls
        if not after.visible or share <= (before or 0.0):
            return None, Kind.MEASURED, f"not visible yet: {after.visible:,} of {after.calls:,} calls show it"
        pusd, kind = self._without()
        if pusd is None:
            return None, Kind.ASSUMED, "no calls in the window it was judged on to compare with"
        saved = pusd - self._actual_pusd
        on_top = 1 - Fraction(before or 0) / Fraction(share)
        if on_top != 1:
            saved, kind = nearest(saved * on_top), Kind.ASSUMED
        told = f"{after.visible:,} of {after.calls:,} calls show it"
        return saved, kind, told + (f", where {before:.0%} did before" if before else "")

    def _without(self) -> tuple[int | None, Kind]:
        """What the calls that show it would have cost without it."""
        if self._run is not None:
            self._run.catch_up(None)
            return self._run.step.sums.pusd, weakest(Kind.DERIVED, self._run.step.kind)
        was, now = self._before, self._measured_after
        if self._entry.step.cache is not None and was.plain_pusd:
            more = Fraction(was.prompt_pusd, was.plain_pusd) * now.plain_pusd - now.prompt_pusd
            return self._actual_pusd + nearest(more), Kind.ASSUMED
        calls_before = was.calls - was.visible
        if self._entry.step.effort is not None and calls_before and now.output_tokens:
            longer = Fraction(was.output_tokens * now.calls, calls_before * now.output_tokens)
            return self._actual_pusd + nearest(now.output_pusd * (longer - 1)), Kind.ASSUMED
        return None, Kind.ASSUMED

    def _shows(self, call: Call) -> bool:
        step, served = self._entry.step, call.served
        if step.cache is not None:
            common = self._before.modes.most_common(1)
            return call.sent_at >= self._entry.at and bool(common) and mode_of(call) != common[0][0]
        asked = call.request.effort if call.request is not None else None
        return (
            (step.model is None or self._is_new(call))
            and (step.batch is None or (served.service_tier == "batch") == step.batch)
            and (step.speed is None or served.speed == step.speed)
            and (step.inference_geo is None or (served.inference_geo == "us") == (step.inference_geo == "us"))
            and (step.effort is None or asked == step.effort)
        )

    def _is_new(self, call: Call) -> bool:
        named = self._book.names.find(call.served.model, call.served.channel)
        return named is not None and named.model.id == self._entry.step.model


def _turned_back(step: StepTable) -> dict[str, Any]:
    """The levers as they were, where a replay can turn them back; empty where it cannot."""
    if step.cache is not None or step.effort is not None:
        return {}
    back: dict[str, Any] = {
        name: other[getattr(step, name)] for name, other in _TURNED_BACK.items() if getattr(step, name)
    }
    if step.batch is not None:
        back["batch"] = not step.batch
    if step.model is not None:
        were = [one for one in step.where.get("model", ()) if one and one != step.model]
        back |= {"model": were[0]} if were else {}
        return back if were else {}
    return back


def mode_of(call: Call) -> str:
    """Where a request set breakpoints: its way of caching, as far as it was recorded."""
    request, usage = call.request, call.served.usage
    if request is None or not request.blocks:
        return "cached" if usage.prompt_tokens > usage.input_tokens else "not cached"
    if request.cache_automatic:
        return "automatic"
    marked = sorted({f"{block.section} {block.ttl}" for block in request.blocks if block.ttl is not None})
    return ", ".join(marked) or "none"
