"""Models that have a successor: a proposal where it costs less for the same text, else what is known of the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.units import Kind
from farthing.whatif.levers.models import current, factor_of, last_day, model_of, on_model, per_mtok
from farthing.whatif.levers.saying import percent, policy, usd
from farthing.whatif.playbook.advice import Effort, Finding, Guide, Proposal, Risk
from farthing.whatif.replay.choice import Choice

if TYPE_CHECKING:
    from farthing.prices.schema import Model
    from farthing.whatif.levers.measures import Measures
    from farthing.whatif.levers.traffic import Traffic


def find(traffic: Traffic) -> list[Proposal | Finding]:
    """One entry per route on a model that the book calls legacy, deprecated or retired and that has a successor."""
    found: list[Proposal | Finding] = []
    for one in traffic.habits:
        old = model_of(traffic.book, one)
        new = _successor(traffic, old) if old is not None else None
        if old is None or new is None or not traffic.is_worth_saying(one.pusd):
            continue
        after = on_model(traffic, one, new, factor_of(old, new).typical)
        if after is not None and after < one.pusd and _may_save(traffic, one, (old, new)):
            found.append(_proposal(traffic, one, (old, new), after))
        elif _ends(old) or _costs_no_more(one, after) or _may_save(traffic, one, (old, new)):
            found.append(_finding(traffic, one, (old, new)))
    return found


def _successor(traffic: Traffic, old: Model) -> Model | None:
    """The book's own replacement, else the family's current model; None for a model that is no older than that."""
    on = last_day(traffic)
    if not any(word in old.status for word in ("legacy", "deprecated", "retired")):
        return None
    named = traffic.book.names.find(old.replacement) if old.replacement else None
    new = named.model if named is not None else current(traffic.book, old.family, on)
    return new if new is not None and new is not old else None


def _may_save(traffic: Traffic, one: Measures, models: tuple[Model, Model]) -> bool:
    low = on_model(traffic, one, models[1], factor_of(*models).low)
    return low is not None and traffic.is_worth_saying(one.pusd - low)


def _costs_no_more(one: Measures, after: int | None) -> bool:
    return after is not None and after <= one.pusd


def _ends(old: Model) -> str:
    if old.retires_on is not None:
        return f"it is deprecated and ends on {old.retires_on.isoformat()}"
    return "it is deprecated" if old.status.startswith("deprecated") else ""


def _proposal(traffic: Traffic, one: Measures, models: tuple[Model, Model], after: int) -> Proposal:
    old, new = models
    route, ends = one.route, _ends(old)
    low, typical, high = factor_of(old, new)
    assumes = ""
    if old.tokenizer != new.tokenizer:
        assumes = (
            f"the newer tokenizer makes {typical:.2f} tokens of one ({low:.2f} to {high:.2f}); "
            "counting some prompts on both models is free and settles it"
        )
    return Proposal(
        id=f"newer-model {route.id}",
        title=f"Move {route.label} from {old.id} to {new.id}",
        guide=Guide.ROUTING,
        choice=Choice.of(f"{route.label} on {new.id}", where=route.where, model=new.id),
        effort=Effort.EDIT,
        risk=Risk.QUALITY,
        why=(
            f"{old.id} is {'deprecated' if ends else 'a legacy model'} at {per_mtok(traffic, old)}; its successor "
            f"{new.id} costs {per_mtok(traffic, new)}. {one.calls:,} calls cost {usd(one.pusd)}, and as many tokens "
            f"would cost about {usd(after)} there{' under its tokenizer' if assumes else ''}."
            + (f" Besides, {ends}." if ends else "")
        ),
        calls=one.calls,
        evidence=one.evidence["dearest"].ids,
        prerequisite="its prompts still do their work: prompts written for an older model can cost more on a newer one",
        assumes=assumes,
        policy=policy(route, model=new.id),
        caller_change=f"ask for {new.id}",
        verify=f"calls of {route.label} are served by {new.id}; cost per call falls, and answers stay as they were",
    )


def _finding(traffic: Traffic, one: Measures, models: tuple[Model, Model]) -> Finding:
    old, new = models
    route, ends = one.route, _ends(old)
    factor = factor_of(old, new)
    low, high = (on_model(traffic, one, new, each) for each in (factor.low, factor.high))
    between = f" These calls cost {usd(one.pusd)}, and as many tokens {usd(low)} there." if low is not None else ""
    if low is not None and high is not None and low != high:
        between = (
            f" With {factor.low:.2f} to {factor.high:.2f} tokens of the newer tokenizer for one of the older, the "
            f"{usd(one.pusd)} of these calls would be {usd(low)} to {usd(high)}."
        )
    counts = old.tokenizer != new.tokenizer
    so = ", whose successor may or may not save" if counts else ", whose successor costs no more"
    return Finding(
        id=f"older-model {route.id}",
        title=f"{route.label} is on {old.id}" + (f", and {ends}" if ends else so),
        guide=Guide.ROUTING,
        cost_pusd=None,
        kind=Kind.ASSUMED,
        why=(
            f"{old.id} costs {per_mtok(traffic, old)}, its successor {new.id} {per_mtok(traffic, new)}.{between} "
            f"The route is {percent(one.pusd, traffic.pusd)} of the bill."
        ),
        calls=one.calls,
        evidence=one.evidence["dearest"].ids,
        change=(
            f"count some of its prompts on both models, which is free, before it is moved to {new.id}"
            if counts
            else f"move it to {new.id} when its prompts are next looked at"
        ),
        about=route.where,
    )
