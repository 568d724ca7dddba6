"""Calls made by hand, and months of the fleet with jobs of one's choice."""

import hashlib
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.demo import fleet as fleet_module
from farthing.demo.executed import executed
from farthing.demo.jobs import JOBS

START = datetime(2026, 11, 2, tzinfo=UTC)
JOB = {job.feature: job for job in JOBS}

_SHORT = 400
"""Instructions below every model's shortest cacheable prefix: sessions share nothing that could be read."""
NO_HABITS = (
    JOB["support-chat"]._replace(caching="automatic", turns=(6, 9), system_tokens=_SHORT, tools=0, tool_percent=0),
    JOB["coding-agent"]._replace(effort=None, turns=(8, 18)),
    JOB["triage"]._replace(model="claude-haiku-5-5", system_tokens=_SHORT),
    JOB["contract-questions"]._replace(
        stamped=False, caching="automatic", turns=(4, 6), system_tokens=_SHORT, question_tokens=2500
    ),
    JOB["nightly-summaries"]._replace(model="claude-sonnet-5-5", batch=True),
    JOB["enrichment"]._replace(model="claude-haiku-5-5", system_tokens=_SHORT),
    JOB["extraction"]._replace(model="claude-opus-5-5", caching="none", max_tokens=8192, system_tokens=_SHORT),
    JOB["live-translation"]._replace(speed=None, batch=True, system_tokens=_SHORT),
    JOB["claims-desk"]._replace(
        geo=None, effort=None, turns=(4, 6), pause_s=(30, 200), caching="automatic", system_tokens=_SHORT
    ),
    JOB["search-answers"]._replace(caching="none", again_percent=0, system_tokens=_SHORT),
)
"""The same programs as their owners would have them."""


def played(jobs, *, days=4, tenants=1, sessions_per_day=60, seed=7):
    """The calls of a fleet that does only these jobs."""
    with patch.object(fleet_module, "JOBS", tuple(jobs)):
        asks = fleet_module.fleet(START, days, tenants=tenants, sessions_per_day=sessions_per_day, seed=seed)
    return list(executed(asks))


def made(
    seconds,
    blocks,
    *,
    model="claude-sonnet-5-5",
    counts=(None, 0, 0, 0),
    output=10,
    thinking=0,
    stop="end_turn",
    dims=None,
    ttft_ms=0,
    served=None,
    **asked,
):
    """
    One call *seconds* after the start.

    *blocks*: (text, tokens, section) or (text, tokens, section, ttl). *counts*: input, 5m and 1h writes, reads; an
    input of None is what the blocks have beyond the rest.
    """
    chain, made_of = b"", []
    for text, tokens, section, *ttl in blocks:
        chain = hashlib.blake2b(chain + text.encode(), digest_size=16).digest()
        made_of.append(PromptBlock(chain, tokens, section, ttl[0] if ttl else None))
    plain, write_5m, write_1h, read = counts
    total = sum(block.tokens for block in made_of)
    usage = Usage(
        input_tokens=total - write_5m - write_1h - read if plain is None else plain,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        cache_read_tokens=read,
        output_tokens=output,
        thinking_tokens=thinking,
    )
    return Call(
        call_id=f"call-{seconds}-{chain.hex()[:6]}-{(dims or {}).get('session', '')}",
        sent_at=START + timedelta(seconds=seconds),
        source="gateway",
        served=Served(model=model, usage=usage, stop_reason=stop, **(served or {})),
        dims={"feature": "made"} if dims is None else dims,
        ttft_ms=ttft_ms,
        request=Request(
            model=model,
            tools=sum(1 for block in made_of if block.section == "tools"),
            tools_tokens=sum(block.tokens for block in made_of if block.section == "tools"),
            blocks=tuple(made_of),
            **asked,
        ),
    )


def ids(advice):
    """The first words of ids, with the route's value: ``batch made``."""
    return {f"{one.id.split()[0]} {one.id.split('=')[1].split()[0] if '=' in one.id else ''}".strip() for one in advice}
