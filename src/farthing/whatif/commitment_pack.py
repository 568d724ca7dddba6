"""
Evidence for a negotiation: what was used, how evenly, of which models, growing how fast, and with what care. Pure.

A vendor gives a discount for volume that stays. The pack shows three months of it from the ledger: volume per month,
demand by the hour, the mix, the trend, and what caching and batches save already, which is what a careful customer has
done before asking.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import UTC, timedelta
from statistics import mean, pstdev
from typing import TYPE_CHECKING

import msgspec

from farthing import money
from farthing.prices.engine import price_served
from farthing.reports.sums import percent, safe_cell
from farthing.units import TOKEN_UNITS
from farthing.whatif.commitment_draws import WEEK_H, quantiles
from farthing.whatif.drift import drift_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from farthing.call import Call
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.whatif.commitment_draws import Demand
    from farthing.whatif.commitments import Verdict

WEEKS = 13
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class _Sums:
    __slots__ = ("batch_saved_pusd", "cache_saved_pusd", "calls", "list_pusd", "tokens", "unpriced")

    def __init__(self) -> None:
        self.calls = self.unpriced = 0
        self.list_pusd = self.cache_saved_pusd = self.batch_saved_pusd = 0
        self.tokens = [0] * len(TOKEN_UNITS)


class Evidence:
    """Calls summed by month and by model."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self.months: defaultdict[str, _Sums] = defaultdict(_Sums)
        self.models: defaultdict[str, _Sums] = defaultdict(_Sums)

    def add_all(self, calls: Iterable[Call]) -> Evidence:
        """Add calls; returns itself."""
        for call in calls:
            self._add(call)
        return self

    def _add(self, call: Call) -> None:
        bill = price_served(self._book, call.served, call.sent_at)
        named = self._book.names.find(call.served.model, call.served.channel)
        model = named.model.id if named else call.served.model
        cache_saved, batch_saved = (0, 0) if bill.list_pusd is None else self._saved(call, bill)
        usage = call.served.usage
        for sums in (self.months[f"{call.sent_at.astimezone(UTC):%Y-%m}"], self.models[model]):
            sums.calls += 1
            sums.unpriced += bill.list_pusd is None
            sums.list_pusd += bill.list_pusd or 0
            sums.cache_saved_pusd += cache_saved
            sums.batch_saved_pusd += batch_saved
            for n, unit in enumerate(TOKEN_UNITS):
                sums.tokens[n] += getattr(usage, unit)

    def _saved(self, call: Call, bill: Bill) -> tuple[int, int]:
        """What caching saved against plain input, and batches against their absence; caching may have cost."""
        served, usage, paid = call.served, call.served.usage, bill.list_pusd or 0
        cache = batch = 0
        if usage.prompt_tokens != usage.input_tokens:
            plain = msgspec.structs.replace(
                usage,
                input_tokens=usage.prompt_tokens,
                cache_read_tokens=0,
                cache_write_5m_tokens=0,
                cache_write_1h_tokens=0,
            )
            without = price_served(self._book, msgspec.structs.replace(served, usage=plain), call.sent_at)
            cache = paid if without.list_pusd is None else without.list_pusd
            cache -= paid
        if served.service_tier == "batch":
            without = price_served(self._book, msgspec.structs.replace(served, service_tier="standard"), call.sent_at)
            batch = (paid if without.list_pusd is None else without.list_pusd) - paid
        return cache, batch


def pack(evidence: Evidence, demand: Demand, verdict: Verdict | None) -> dict[str, str]:
    """
    The files of a negotiation pack, by name.

    Args:
        evidence: The calls, summed.
        demand: Dollars by the hour.
        verdict: What was judged; None: nothing was.

    """
    return {
        "pack.md": _text(evidence, demand, verdict),
        "months.csv": _sums_csv("month", evidence.months),
        "models.csv": _sums_csv("model", evidence.models),
        "hours.csv": _hours_csv(demand),
    }


def _text(evidence: Evidence, demand: Demand, verdict: Verdict | None) -> str:
    months, models = evidence.months, evidence.models
    total = sum(sums.list_pusd for sums in months.values())
    unpriced = sum(sums.unpriced for sums in months.values())
    weeks = _weeks(demand)
    drift = drift_of(demand.amounts)
    lines = ["# Use of the Claude API: evidence for a commitment", ""]
    lines.append(
        f"{len(demand.amounts) / WEEK_H:.1f} weeks up to {_end(demand):%Y-%m-%d}, ${money.display(total)} at list "
        "(measured from the usage of every response, priced by the published list)."
    )
    if len(demand.amounts) < WEEKS * WEEK_H:
        lines.append(f"That is less than the {WEEKS} weeks a vendor will ask for.")
    if unpriced:
        lines.append(f"{unpriced:,} calls have no list price and are in no amount.")
    lines += ["", "## Volume and what care saves already", ""]
    lines += _table(
        ("month", "calls", "list", "change", "saved by caching", "saved by batches"),
        [
            (
                month,
                f"{sums.calls:,}",
                f"${money.display(sums.list_pusd)}",
                _change(before.list_pusd if before else 0, sums.list_pusd),
                f"${money.display(sums.cache_saved_pusd)}",
                f"${money.display(sums.batch_saved_pusd)}",
            )
            for before, (month, sums) in zip([None, *_ordered(months)], sorted(months.items()), strict=False)
        ],
    )
    lines += [
        "",
        "The first and last month may be cut by the period. Savings are derived: the same calls priced without.",
        "",
    ]
    lines += ["## Mix", ""]
    by_cost = sorted(models.items(), key=lambda item: -item[1].list_pusd)
    lines += _table(
        ("model", "calls", "list", "share"),
        [
            (model, f"{sums.calls:,}", f"${money.display(sums.list_pusd)}", percent(sums.list_pusd, total))
            for model, sums in by_cost
        ],
    )
    lines += ["", "## Evenness", ""]
    lines += _table(
        ("share of hours", "at most an hour"),
        [
            (f"{level:.0%}", f"${money.display(pusd)}")
            for level, pusd in zip(_LEVELS, quantiles(demand.worth_pusd, _LEVELS), strict=True)
        ],
    )
    if len(weeks) > 1 and mean(weeks):
        lines += ["", f"Whole weeks differ from their mean by {pstdev(weeks) / mean(weeks):.0%} (standard deviation)."]
    lines += [
        "",
        "## Growth",
        "",
        f"{drift.per_week:+.1%} a week, the median of pairs of days (p of a fall: {drift.p_value:.2f}).",
    ]
    if verdict is not None:
        lines += ["", "## Commitment", "", *_judged(verdict)]
    return "\n".join(lines) + "\n"


def _judged(verdict: Verdict) -> list[str]:
    offer = verdict.offer
    head = f"{offer.draw.what}, {float(offer.discount):.1%} off (assumed), {offer.term_weeks} weeks: "
    if verdict.recommended is None:
        return [head + "nothing to recommend.", "", *(f"- {reason}" for reason in verdict.refusals)]
    size = verdict.recommended
    low, high = money.display(size.low_pusd), money.display(size.high_pusd)
    says = (
        f"{head}{size.units:,} units save ${money.display(size.saving_pusd)} (${low} to ${high}) and lose with a "
        f"probability of {size.loss_probability:.0%}."
    )
    return [says]


def _ordered(months: dict[str, _Sums]) -> list[_Sums]:
    return [months[month] for month in sorted(months)]


def _weeks(demand: Demand) -> list[int]:
    worth = demand.worth_pusd[len(demand.worth_pusd) % WEEK_H :]
    return [sum(worth[start : start + WEEK_H]) for start in range(0, len(worth), WEEK_H)]


def _end(demand: Demand) -> datetime:
    return demand.starts_at + timedelta(hours=max(0, len(demand.amounts) - 1))


def _change(before: int, after: int) -> str:
    return f"{(after - before) / before:+.1%}" if before else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _sums_csv(name: str, sums_by: dict[str, _Sums]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    saved = ("saved_by_caching_usd", "saved_by_batches_usd")
    writer.writerow([name, "calls", "unpriced_calls", *map(str, TOKEN_UNITS), "list_usd", *saved])
    for key, sums in sorted(sums_by.items()):
        amounts = (sums.list_pusd, sums.cache_saved_pusd, sums.batch_saved_pusd)
        writer.writerow([safe_cell(key), sums.calls, sums.unpriced, *sums.tokens, *map(money.usd_text, amounts)])
    return out.getvalue()


def _hours_csv(demand: Demand) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["hour", "usd"])
    for n, pusd in enumerate(demand.worth_pusd):
        hour = demand.starts_at + timedelta(hours=n)
        writer.writerow([hour.isoformat().replace("+00:00", "Z"), money.usd_text(pusd)])
    return out.getvalue()
