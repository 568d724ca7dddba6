"""
What the programs of a fleet do: ten kinds of job, most of them with a habit that costs money.

Each habit is one that the field reports: no caching where it would pay, marks on what never comes back, a clock at the
top of a prompt, a big model for a small question, full price for what nobody waits for. A plan that saves money has to
find them from the calls alone: nothing else in the traffic names them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Caching = Literal["none", "system", "system_1h", "history", "automatic", "wasteful"]


class Job(NamedTuple):
    """
    One kind of program.

    Attributes:
        feature: Its name in the tags.
        model: Id it asks for.
        weight: How common its sessions are.
        caching: Where it puts its breakpoints: nowhere, on the instructions, at the end of the history, where the API
            likes, or (wasteful) on a question that nobody will ask again.
        stamped: Whether the instructions begin with the time, so that no two prompts share a prefix.
        system_tokens: Instructions. tools: how many are defined, of tool_tokens each.
        tool_percent: Answers that call a tool.
        turns: Fewest and most calls in a session. pause_s: shortest and longest pause between two.
        question_tokens, output_tokens: Medians, per call.
        spread: Standard deviation of their logarithm.
        max_tokens: As asked; answers are cut there.
        effort: As asked; None: not stated.
        stream: Whether somebody watches the answer come.
        at_minute: Sessions begin at this minute of the hour, as a timer's do; None: at any.
        batch: Sent as a Message Batch.
        speed, geo: As asked.
        again_percent: Calls that are sent once more, because the caller gave up waiting.

    """

    feature: str
    model: str
    weight: int
    caching: Caching = "none"
    stamped: bool = False
    system_tokens: int = 1_500
    tools: int = 0
    tool_tokens: int = 220
    tool_percent: int = 0
    turns: tuple[int, int] = (1, 1)
    pause_s: tuple[int, int] = (0, 0)
    question_tokens: int = 300
    output_tokens: int = 250
    spread: float = 0.5
    max_tokens: int = 4_096
    effort: str | None = None
    stream: bool = False
    at_minute: int | None = None
    batch: bool = False
    speed: str | None = None
    geo: str | None = None
    again_percent: int = 0


JOBS = (
    Job(
        "support-chat",
        "claude-sonnet-5-5",
        weight=22,
        system_tokens=6_200,
        tools=6,
        tool_percent=12,
        turns=(2, 9),
        pause_s=(12, 180),
        question_tokens=90,
        output_tokens=220,
        stream=True,
    ),
    Job(
        "coding-agent",
        "claude-opus-5-5",
        weight=14,
        caching="history",
        system_tokens=9_000,
        tools=24,
        tool_percent=80,
        turns=(6, 30),
        pause_s=(3, 45),
        question_tokens=900,
        output_tokens=320,
        spread=0.9,
        max_tokens=16_000,
        effort="high",
        stream=True,
    ),
    Job(
        "triage",
        "claude-opus-5-5",
        weight=26,
        system_tokens=900,
        question_tokens=420,
        output_tokens=9,
        max_tokens=64,
    ),
    Job(
        "contract-questions",
        "claude-sonnet-5-5",
        weight=7,
        stamped=True,
        caching="system",
        system_tokens=31_000,
        turns=(2, 6),
        pause_s=(20, 160),
        question_tokens=60,
        output_tokens=300,
        stream=True,
    ),
    Job(
        "nightly-summaries",
        "claude-sonnet-5",
        weight=12,
        system_tokens=1_100,
        question_tokens=3_800,
        output_tokens=420,
        at_minute=5,
    ),
    Job(
        "enrichment",
        "claude-haiku-4-5-20251001",
        weight=12,
        batch=True,
        system_tokens=800,
        question_tokens=700,
        output_tokens=120,
        at_minute=30,
    ),
    Job(
        "extraction",
        "claude-opus-4-5-20251101",
        weight=8,
        caching="wasteful",
        system_tokens=2_400,
        question_tokens=5_200,
        output_tokens=480,
        spread=0.8,
        max_tokens=512,
    ),
    Job(
        "live-translation",
        "claude-opus-5-5",
        weight=3,
        speed="fast",
        system_tokens=700,
        question_tokens=180,
        output_tokens=190,
        at_minute=15,
    ),
    Job(
        "claims-desk",
        "claude-sonnet-5-5",
        weight=4,
        geo="us",
        caching="system_1h",
        system_tokens=12_000,
        turns=(1, 3),
        pause_s=(30, 900),
        question_tokens=1_300,
        output_tokens=600,
        effort="max",
        stream=True,
    ),
    Job(
        "search-answers",
        "claude-haiku-5-5",
        weight=18,
        caching="automatic",
        system_tokens=3_300,
        question_tokens=2_600,
        output_tokens=160,
        spread=0.6,
        stream=True,
        again_percent=4,
    ),
)
