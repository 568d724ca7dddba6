"""Calls and proposals by hand, with prices that anybody can recompute."""

from datetime import UTC, datetime, timedelta

from farthing.call import Call, Request, Served, Usage
from farthing.whatif.playbook.advice import Effort, Guide, Proposal, Risk
from farthing.whatif.replay.choice import Choice

START = datetime(2026, 10, 20, tzinfo=UTC)
OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
SONNET_IN, SONNET_OUT = 2_000_000, 10_000_000
"""Picodollars per token of Sonnet 5.5: $2 and $10 per million."""


def call(number, feature="work", model=SONNET, *, days=0.0, tokens=1000, output=100, tier="standard", effort=None):
    """One call, *days* after the start."""
    return Call(
        call_id=f"call-{number}",
        sent_at=START + timedelta(days=days),
        source="test",
        served=Served(
            model=model,
            usage=Usage(input_tokens=tokens, output_tokens=output),
            service_tier=tier,
            stop_reason="end_turn",
        ),
        dims={"feature": feature} if feature else {},
        request=Request(model=model, effort=effort) if effort else None,
    )


def proposal(name, where=None, *, risk=Risk.NONE, assumes="", guide=Guide.HOUSEKEEPING, policy=None, **levers):
    """A proposal for *where*, feature by feature."""
    where = {"feature": ("work",)} if where is None else where
    return Proposal(
        id=name,
        title=f"Do {name}",
        guide=guide,
        choice=Choice.of(name, where=where, **levers),
        effort=Effort.SWITCH,
        risk=risk,
        why="seen in the calls",
        calls=1,
        evidence=("call-0",),
        assumes=assumes,
        policy={"where": {key: list(one) for key, one in where.items()}, **(levers if policy is None else policy)},
        verify="look at the ledger",
    )
