"""
Three applications: a content assistant, a code review bot and an e-mail classifier.

Calls, tokens and model mix are those of a published example (claim 16 of docs/claims.md); the rest is chosen to be
plausible: people work on weekdays, a bot works when they push, mail comes all day.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["haiku", "sonnet", "opus"]


class DemoModel(NamedTuple):
    """A model id and the shortest prefix it caches; a test compares it with the price book."""

    id: str
    cacheable_prefix_tokens_min: int


GENERATIONS: dict[str, dict[Role, DemoModel]] = {
    "4.6": {
        "haiku": DemoModel("claude-haiku-4-5-20251001", 4096),
        "sonnet": DemoModel("claude-sonnet-4-6", 1024),
        "opus": DemoModel("claude-opus-4-6", 4096),
    },
    "5.5": {
        "haiku": DemoModel("claude-haiku-5-5", 512),
        "sonnet": DemoModel("claude-sonnet-5-5", 512),
        "opus": DemoModel("claude-opus-5-5", 512),
    },
}
"""The models that fill the three roles: the generation the published example was priced with, and today's."""


class Application(NamedTuple):
    """
    What one application does in 30 days.

    Attributes:
        calls: How many; input_tokens: all prompts together, cached parts included; output_tokens: all answers together.
        mix: Percent of calls, and of both token totals, per role.
        prefix_tokens: Instructions and tools at the start of every prompt, the same for all callers.
        cache_ttl_s: Lifetime the prefix is marked for. A model that does not cache so short a prefix ignores the mark.
        turns: Fewest and most calls in a session; pause_s: shortest and longest pause between two of them.
        busy_hours: First and last busy hour of a day, UTC; every other hour has a tenth of the traffic.
        weekend_percent: Traffic of a weekend day, in percent of a weekday's.
        spread: Standard deviation of the logarithm of a call's size.
        batch_percent: Sessions that can wait and go through the Message Batches API at night.
        search_percent: Calls that search the web.
        refused_before_output: Calls refused before any output.
        tenants, features: The first is the busiest.

    """

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    mix: dict[Role, int]
    prefix_tokens: int
    cache_ttl_s: int
    turns: tuple[int, int]
    pause_s: tuple[int, int]
    busy_hours: tuple[int, int]
    weekend_percent: int
    spread: float
    tenants: tuple[str, ...]
    features: tuple[str, ...]
    batch_percent: int = 0
    search_percent: int = 0
    refused_before_output: int = 0


APPLICATIONS = (
    Application(
        name="content-assistant",
        calls=342,
        input_tokens=1_400_000,
        output_tokens=510_000,
        mix={"sonnet": 90, "opus": 10},
        prefix_tokens=1_400,
        cache_ttl_s=300,
        turns=(2, 8),
        pause_s=(25, 240),
        busy_hours=(8, 17),
        weekend_percent=10,
        spread=0.6,
        tenants=("marketing", "press", "sales"),
        features=("draft", "rewrite", "headlines"),
        search_percent=6,
        refused_before_output=3,
    ),
    Application(
        name="code-review-bot",
        calls=1_247,
        input_tokens=9_900_000,
        output_tokens=1_000_000,
        mix={"haiku": 85, "sonnet": 15},
        prefix_tokens=4_600,
        cache_ttl_s=3_600,
        turns=(1, 4),
        pause_s=(2, 40),
        busy_hours=(7, 19),
        weekend_percent=15,
        spread=0.8,
        tenants=("platform", "mobile", "web", "data"),
        features=("review", "summary"),
    ),
    Application(
        name="email-classifier",
        calls=2_891,
        input_tokens=5_800_000,
        output_tokens=1_700_000,
        mix={"haiku": 100},
        prefix_tokens=1_300,
        cache_ttl_s=300,
        turns=(1, 1),
        pause_s=(0, 0),
        busy_hours=(6, 20),
        weekend_percent=40,
        spread=0.5,
        tenants=("support", "billing", "returns"),
        features=("triage", "summary"),
        batch_percent=8,
    ),
)
