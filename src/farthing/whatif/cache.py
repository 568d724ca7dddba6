"""Caching policies side by side on one trace: dollars, what each saves, and how much of all that could be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.errors import BadInput
from farthing.units import Kind
from farthing.whatif.causal import Causal
from farthing.whatif.charges import FIVE_MINUTES, NEVER_MS, ONE_HOUR
from farthing.whatif.fixed_policies import FIXED, replay
from farthing.whatif.hindsight import hindsight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.charges import Charge, Lifetime, Rates
    from farthing.whatif.fixed_policies import Policy
    from farthing.whatif.hindsight import Hindsight
    from farthing.whatif.prefixes import PrefixTree

CEILING = "hindsight"

CEILINGS: dict[str, tuple[Lifetime, ...]] = {
    "hindsight_5m": (FIVE_MINUTES,),
    "hindsight_1h": (ONE_HOUR,),
    CEILING: (FIVE_MINUTES, ONE_HOUR),
}
"""The best plans by the lifetimes they may choose from."""

CAUSAL = "causal"

POLICIES = (*FIXED, *CEILINGS, CAUSAL)
"""Every name that may be asked for, in the order in which they are shown."""


class Outcome(NamedTuple):
    """
    One policy on one trace.

    Attributes:
        charge: Prompt tokens by what happened to them.
        pusd: What they cost.
        saved_pusd: What that saves against no caching; None for no caching itself.
        capture: Its share of what the ceiling saves: at most 1, negative where the policy loses; None for no caching,
            and where nothing could be saved.
        plan: The counters of a best plan; None for any other policy.

    """

    charge: Charge
    pusd: int
    saved_pusd: int | None
    capture: float | None
    plan: Hindsight | None = None


class Comparison(NamedTuple):
    """
    Policies on the same calls.

    Attributes:
        calls: Calls of the trace; calls_charged: those that count.
        outcomes: By name; ``none`` is always the first.

    """

    calls: int
    calls_charged: int
    outcomes: dict[str, Outcome]


def compare_policies(
    tree: PrefixTree, rates: Rates, policies: Sequence[str] = POLICIES, train_until_ms: int | None = None
) -> Comparison:
    """
    Replay *policies* over a trace.

    Args:
        tree: The trace.
        rates: What a token costs.
        policies: Names out of :data:`POLICIES`.
        train_until_ms: Charge only calls from this time on, with the cache as the earlier ones left it; the causal
            policy learns from those earlier ones alone. None: charge all; the causal policy learns as it goes.

    Raises:
        BadInput: A name is unknown.

    """
    if unknown := [name for name in policies if name not in POLICIES]:
        raise BadInput(f"read the policy {unknown[0]!r}", f"some of {', '.join(POLICIES)}")
    start_ms = NEVER_MS if train_until_ms is None else train_until_ms
    chosen = [name for name in POLICIES if name == "none" or name in policies]
    replayed: dict[str, Policy] = {name: FIXED[name](tree) for name in chosen if name in FIXED}
    if CAUSAL in chosen:
        replayed[CAUSAL] = Causal(tree, rates, train_until_ms)
    charges = replay(tree, replayed, charged_from_ms=start_ms)
    wanted = {CEILING, *chosen} & CEILINGS.keys()
    plans = {name: hindsight(tree, rates, CEILINGS[name], charged_from_ms=start_ms) for name in wanted}
    charges |= {name: plan.charge for name, plan in plans.items()}
    none_pusd, least_pusd = charges["none"].pusd(rates), charges[CEILING].pusd(rates)
    outcomes = {}
    for name in chosen:
        charge = charges[name]
        saved = None if name == "none" else none_pusd - charge.pusd(rates)
        capture = None if saved is None or least_pusd == none_pusd else saved / (none_pusd - least_pusd)
        outcomes[name] = Outcome(charge, charge.pusd(rates), saved, capture, plans.get(name))
    return Comparison(len(tree), tree.calls_from(start_ms), outcomes)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """As JSON: amounts are exact decimal strings of USD; ``saving`` is null for no caching, negative for a loss."""
    return {
        "policies": {name: _outcome_json(outcome) for name, outcome in found.outcomes.items()},
        "calls": found.calls,
        "calls_charged": found.calls_charged,
        "kind": Kind.DERIVED.value,
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    saved, capture, plan = outcome.saved_pusd, outcome.capture, outcome.plan
    told: dict[str, Any] = {
        "usd": money.usd_text(outcome.pusd),
        "saving": None if saved is None else money.usd_text(saved),
        "capture": None if capture is None else round(capture, 6),
        "tokens": outcome.charge._asdict(),
    }
    if plan is not None:
        told |= {"prefix_violations": plan.prefix_violations, "order_inversions": plan.order_inversions}
    return told
