"""What a replay comes to: sums over calls, step by step, each of them exact."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from farthing import money
from farthing.units import TOKEN_UNITS, Kind, Unit, weakest
from farthing.whatif.replay.rules import FATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.call import Usage
    from farthing.prices.bill import Bill
    from farthing.whatif.replay.ceiling import Found
    from farthing.whatif.replay.choice import Choice

UNITS = (*TOKEN_UNITS, Unit.WEB_SEARCH)


class Sums:
    """
    Calls added up.

    Attributes:
        pusd: What they cost, under contract where there is one.
        list_pusd: At list.
        counts: Per unit of :data:`UNITS`, extra passes included. units_pusd: at list; they sum to ``list_pusd``.
        kinds_pusd: ``pusd`` by how sure each call's figure is.

    """

    __slots__ = ("counts", "kinds_pusd", "list_pusd", "pusd", "units_pusd")

    def __init__(self) -> None:
        self.pusd = 0
        self.list_pusd = 0
        self.counts = [0] * len(UNITS)
        self.units_pusd = [0] * len(UNITS)
        self.kinds_pusd = dict.fromkeys(Kind, 0)

    def add(self, bill: Bill, pusd: int, kind: Kind) -> None:
        """Add one priced call."""
        assert bill.list_pusd is not None, "calls without a price are counted beside"
        self.pusd += pusd
        self.list_pusd += bill.list_pusd
        self.kinds_pusd[kind] += pusd
        counts, units = self.counts, self.units_pusd
        for component in bill.components:
            usage = component.usage
            used = (
                usage.input_tokens,
                usage.cache_write_5m_tokens,
                usage.cache_write_1h_tokens,
                usage.cache_read_tokens,
                usage.output_tokens,
            )
            for at, count in enumerate(used):
                if count:
                    counts[at] += count
                    if component.billed:
                        units[at] += count * (component.band.rates[at] or 0)
            if usage.web_search_requests:
                counts[5] += usage.web_search_requests
                if component.billed:
                    units[5] += usage.web_search_requests * component.card.web_search_pusd

    def add_counts(self, counts: Sequence[int], units_pusd: Sequence[int], kind: Kind) -> None:
        """Add calls that were summed before, at list."""
        pusd = sum(units_pusd)
        self.pusd += pusd
        self.list_pusd += pusd
        self.kinds_pusd[kind] += pusd
        for at in range(len(UNITS)):
            self.counts[at] += counts[at]
            self.units_pusd[at] += units_pusd[at]

    def to_json(self) -> dict[str, Any]:
        """As JSON: amounts are exact decimal strings of USD."""
        return {
            "usd": money.usd_text(self.pusd),
            "list_usd": money.usd_text(self.list_pusd),
            "units": {
                str(unit): {"count": count, "usd": money.usd_text(pusd)}
                for unit, count, pusd in zip(UNITS, self.counts, self.units_pusd, strict=True)
            },
        }


class Step:
    """
    One choice of a replay, on top of the choices before it.

    Attributes:
        choice: As it was replayed, the choices before it included.
        sums: All priced calls under it.
        saved_pusd: Against the step before it, or against what was recorded for the first.
        saved_kinds_pusd: Against what was recorded, by how sure each call's figure is.
        fate: Prompt tokens of the replayed calls by what became of them; see
            :data:`farthing.whatif.replay.rules.FATES`.
        moved_calls: Calls for which a lever was turned; replayed_calls: whose cache was replayed from blocks.
        stays: Reason to number of calls that the levers do not take, so that they are kept as recorded.
        cache_stays: Reason to number of calls whose cache counts are kept, for they cannot be replayed.
        pings, pings_pusd: Requests that keep prefixes alive, and their cost, which ``sums`` contain.
        deferred: Calls that were worked on later than they were sent.
        ceiling: What the best plan of caching could have saved on the replayed prompts, and what this one saves; None
            where it was not sought.

    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.sums = Sums()
        self.saved_pusd = 0
        self.saved_kinds_pusd = dict.fromkeys(Kind, 0)
        self.fate = [0] * len(FATES)
        self.moved_calls = 0
        self.replayed_calls = 0
        self.stays: Counter[str] = Counter()
        self.cache_stays: Counter[str] = Counter()
        self.pings = 0
        self.pings_pusd = 0
        self.deferred = 0
        self.ceiling: Found | None = None

    @property
    def kind(self) -> Kind:
        """How sure the saving is: as weak as its weakest part that is not zero."""
        return weakest(Kind.DERIVED, *(kind for kind, pusd in self.saved_kinds_pusd.items() if pusd))

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.choice.name,
            **self.sums.to_json(),
            "saved_usd": money.usd_text(self.saved_pusd),
            "kind": str(self.kind),
            "saved_of_kind_usd": {str(kind): money.usd_text(pusd) for kind, pusd in self.saved_kinds_pusd.items()},
            "prompt_tokens": dict(zip(FATES, self.fate, strict=True)),
            "moved_calls": self.moved_calls,
            "replayed_calls": self.replayed_calls,
            "kept_as_recorded": dict(self.stays.most_common()),
            "cache_kept_as_recorded": dict(self.cache_stays.most_common()),
            "pings": self.pings,
            "pings_usd": money.usd_text(self.pings_pusd),
            "ceiling": None if self.ceiling is None or not self.replayed_calls else self.ceiling.to_json(),
        }


class Backtest:
    """
    What the replay makes of the calls as they were, before it advises anything.

    Attributes:
        calls: Calls that were given. unpriced_calls: of them, without an exact price: kept out of all sums.
        pusd: The real bill, from the facts of each response.
        posted_calls, posted_pusd, off_posting_calls: Calls that came with a posting, what they were posted at, and how
            many of them come out otherwise. ``posted_facts_pusd`` is the bill of those calls from facts.
        replayed_calls: Calls whose recorded breakpoints were replayed.
        measured: Their prompt tokens as measured: input, 5m writes, 1h writes, reads. replayed: by the rules.
        measured_pusd, replayed_pusd: Their cost at list.
        calibrated_calls: Of them, how many had block counts that did not agree with what was measured.
        ceiling: What the best plan of caching could have saved on those prompts, and what the one that was saves; None
            where it was not sought.

    """

    def __init__(self) -> None:
        self.calls = 0
        self.unpriced_calls = 0
        self.pusd = 0
        self.posted_calls = 0
        self.posted_pusd = 0
        self.posted_facts_pusd = 0
        self.off_posting_calls = 0
        self.replayed_calls = 0
        self.measured = [0, 0, 0, 0]
        self.replayed = [0, 0, 0, 0]
        self.measured_pusd = 0
        self.replayed_pusd = 0
        self.calibrated_calls = 0
        self.ceiling: Found | None = None

    @property
    def error_pusd(self) -> int:
        """What the replay of the cache as it was is off by; positive where it is too dear."""
        return self.replayed_pusd - self.measured_pusd

    @property
    def error_share(self) -> float | None:
        """The same as a share of those calls' bill; None where nothing was replayed."""
        return self.error_pusd / self.measured_pusd if self.measured_pusd else None

    def add_posting(self, posted_pusd: int | None, facts_pusd: int | None) -> None:
        """Add one call that came with a posting."""
        self.posted_calls += 1
        self.posted_pusd += posted_pusd or 0
        self.posted_facts_pusd += facts_pusd or 0
        self.off_posting_calls += posted_pusd != facts_pusd

    def add_replayed(self, usage: Usage, replayed: Sequence[int], pusd: tuple[int, int], *, calibrated: bool) -> None:
        """Add one call whose recorded breakpoints were replayed; *pusd* is measured, then replayed."""
        self.replayed_calls += 1
        self.calibrated_calls += calibrated
        for at, count in enumerate(prompt_counts(usage)):
            self.measured[at] += count
            self.replayed[at] += replayed[at]
        self.measured_pusd += pusd[0]
        self.replayed_pusd += pusd[1]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        names = [str(unit) for unit in TOKEN_UNITS[:4]]
        return {
            "calls": self.calls,
            "unpriced_calls": self.unpriced_calls,
            "usd": money.usd_text(self.pusd),
            "posted": {
                "calls": self.posted_calls,
                "usd": money.usd_text(self.posted_pusd),
                "error_usd": money.usd_text(self.posted_facts_pusd - self.posted_pusd),
                "calls_off": self.off_posting_calls,
            },
            "cache_replayed": {
                "calls": self.replayed_calls,
                "calls_calibrated": self.calibrated_calls,
                "measured_tokens": dict(zip(names, self.measured, strict=True)),
                "replayed_tokens": dict(zip(names, self.replayed, strict=True)),
                "measured_usd": money.usd_text(self.measured_pusd),
                "replayed_usd": money.usd_text(self.replayed_pusd),
                "error_usd": money.usd_text(self.error_pusd),
                "error_share": None if self.error_share is None else round(self.error_share, 6),
                "ceiling": None if self.ceiling is None else self.ceiling.to_json(),
            },
        }


class Replayed(msgspec.Struct, frozen=True):
    """
    A replay.

    Attributes:
        backtest: First look here.
        before: The calls as recorded, without unpriced ones.
        steps: One per choice, in order; each contains the choices before it, so that ``saved_pusd`` of all steps sums
            exactly to ``before.pusd - steps[-1].sums.pusd``.

    """

    backtest: Backtest
    before: Sums
    steps: tuple[Step, ...]

    @property
    def saved_pusd(self) -> int:
        """What all steps save together; negative for a loss."""
        return sum(step.saved_pusd for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """As JSON: amounts are exact decimal strings of USD; savings are negative where a step loses."""
        return {
            "backtest": self.backtest.to_json(),
            "before": self.before.to_json(),
            "steps": [step.to_json() for step in self.steps],
            "saved_usd": money.usd_text(self.saved_pusd),
        }


def prompt_counts(usage: Usage) -> tuple[int, int, int, int]:
    """The four disjoint parts of a prompt, in the order of :data:`farthing.units.TOKEN_UNITS`."""
    return usage.input_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, usage.cache_read_tokens
