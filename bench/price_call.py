"""
One call priced: farthing against genai-prices and LiteLLM's completion_cost, on the same usages, in one run.

    python -m venv ENV && ENV/bin/pip install -e . genai-prices litellm
    ENV/bin/python bench/price_call.py [--calls 20000] [--json]

Method: every library gets the usage in the form its own users have (farthing and genai-prices the API's ``usage``
object, LiteLLM a response object built beforehand, outside the clock), prices every case in turn, and the best of five
rounds counts, so that a busy machine does not decide. Ratios are what to read; microseconds depend on the machine.
Disagreements are listed with the arithmetic of the vendor's price page, so that a reader can judge.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no network: the map that came with the package

Pricer = Callable[["Case"], Any]


class Case(NamedTuple):
    """One usage to price. *right*: by the vendor's price page, in USD."""

    name: str
    model: str
    at: datetime
    counts: dict[str, object]
    right: Decimal


AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
EARLIER = datetime(2026, 2, 1, 12, tzinfo=UTC)


def usage(
    fresh: int, output: int, *, read: int = 0, write_5m: int = 0, write_1h: int = 0, **more: object
) -> dict[str, object]:
    return {
        "input_tokens": fresh,
        "output_tokens": output,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
        "service_tier": "standard",
        **more,
    }


def mtok(*pairs: tuple[int, float | str], times: str = "1") -> Decimal:
    """Count x USD per million tokens, summed, times a factor: the arithmetic of a price page, written out."""
    return sum((Decimal(count) * Decimal(rate) for count, rate in pairs), Decimal(0)) * Decimal(times) / 10**6


CASES = [
    Case("plain", "claude-opus-4-5", AT, usage(2095, 503), mtok((2095, 5), (503, 25))),
    Case("plain, banded model", "claude-haiku-5-5", AT, usage(2095, 503), mtok((2095, "0.1"), (503, "0.5"))),
    Case("cache read", "claude-haiku-4-5", AT, usage(120, 503, read=9000), mtok((120, 1), (9000, "0.1"), (503, 5))),
    Case("5m write", "claude-opus-4-5", AT, usage(7, 90, write_5m=4000), mtok((7, 5), (4000, "6.25"), (90, 25))),
    Case("1h write", "claude-opus-4-5", AT, usage(7, 90, write_1h=4000), mtok((7, 5), (4000, 10), (90, 25))),
    Case(
        "5m and 1h writes",
        "claude-haiku-4-5",
        AT,
        usage(7, 90, write_5m=1000, write_1h=4000),
        mtok((7, 1), (1000, "1.25"), (4000, 2), (90, 5)),
    ),
    Case(
        "batch",
        "claude-opus-4-5",
        AT,
        usage(2095, 503, service_tier="batch"),
        mtok((2095, 5), (503, 25), times="0.5"),
    ),
    Case(
        "web search",
        "claude-opus-4-5",
        AT,
        usage(2095, 503, server_tool_use={"web_search_requests": 3}),
        mtok((2095, 5), (503, 25)) + Decimal("0.03"),
    ),
    Case(
        "US-only inference",
        "claude-opus-4-6",
        AT,
        usage(2095, 503, inference_geo="us"),
        mtok((2095, 5), (503, 25), times="1.1"),
    ),
    Case(
        "over 200k, then a premium",
        "claude-opus-4-6",
        EARLIER.replace(month=3, day=1),
        usage(250_000, 1000),
        mtok((250_000, 10), (1000, "37.5")),
    ),
    Case("over 200k, since without", "claude-opus-4-6", AT, usage(250_000, 1000), mtok((250_000, 5), (1000, 25))),
]
WHY = {
    "batch": "usage.service_tier says batch: half of every token rate",
    "1h write": "1-hour writes cost 2x input, 5-minute writes 1.25x",
    "5m and 1h writes": "1-hour writes cost 2x input, 5-minute writes 1.25x",
    "web search": "each search costs $0.01 beside the tokens",
    "US-only inference": "inference_geo=us costs 1.1x on models since Opus 4.6",
    "over 200k, then a premium": "until 2026-03-13 a prompt over 200,000 tokens cost 2x input and 1.5x output",
    "over 200k, since without": "the premium ended on 2026-03-13",
}


def farthing_pricer() -> Pricer:
    import farthing

    def price(case: Case) -> Any:
        return farthing.price(case.counts, model=case.model, at=case.at).list_usd

    return price


def genai_pricer() -> Pricer:
    from genai_prices import extract_usage

    def price(case: Case) -> Any:
        _, model, at, counts, _ = case
        read = extract_usage({"model": model, "usage": counts}, provider_id="anthropic")
        return read.calc_price(genai_request_timestamp=at).total_price

    return price


def genai_counts_pricer() -> Pricer:
    """Without reading the usage object: counts ready in the library's own type, outside the clock."""
    from genai_prices import calc_price, extract_usage

    ready = {}
    for name, model, _, counts, _ in CASES:
        ready[name] = extract_usage({"model": model, "usage": counts}, provider_id="anthropic").usage

    def price(case: Case) -> Any:
        name, model, at, _, _ = case
        return calc_price(ready[name], model, provider_id="anthropic", genai_request_timestamp=at).total_price

    return price


def litellm_pricer() -> Pricer:
    import litellm
    from litellm.llms.anthropic.chat.transformation import AnthropicConfig

    config = AnthropicConfig()
    ready = {}
    for name, model, _, counts, _ in CASES:
        made = litellm.ModelResponse(model=model)
        made.usage = config.calculate_usage(usage_object=counts, reasoning_content=None)
        ready[name] = made

    def price(case: Case) -> Any:
        return Decimal(
            repr(
                litellm.completion_cost(
                    ready[case[0]],
                    model=case[1],
                    custom_llm_provider="anthropic",
                    call_type="completion",
                )
            )
        )

    return price


def best_us(price: Pricer, cases: list[Case], calls: int, rounds: int = 5) -> float:
    """Microseconds per call over all cases, the best round."""
    best = float("inf")
    turns = max(1, calls // len(cases))
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(turns):
            for case in cases:
                price(case)
        best = min(best, (time.perf_counter() - start) / (turns * len(cases)) * 1e6)
    return best


def answer(price: Pricer, case: Case) -> Decimal | str | None:
    try:
        found = price(case)
    except Exception as error:  # noqa: BLE001  a peer's refusal is a result here
        return f"{type(error).__name__}"
    return None if found is None else Decimal(found).normalize()


def verdict(found: Decimal | str | None, right: Decimal | None) -> str:
    if right is None:
        return ""
    if not isinstance(found, Decimal):
        return "no price"
    if found == right.normalize():
        return "right"
    return "right but for float noise" if abs(found - right) < Decimal("1e-12") else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pricers = {"farthing": farthing_pricer(), "genai-prices": genai_pricer(), "litellm": litellm_pricer()}
    without_reading = genai_counts_pricer()
    answers = {case[0]: {name: answer(price, case) for name, price in pricers.items()} for case in CASES}
    ordinary = [case for case in CASES if all(isinstance(found, Decimal) for found in answers[case[0]].values())]
    speed = {
        name: best_us(price, ordinary, options.calls // (1 if name == "farthing" else 20))
        for name, price in pricers.items()
    }
    speed["genai-prices, counts ready"] = best_us(without_reading, ordinary, options.calls // 20)
    if options.json:
        print(json.dumps({"us_per_call": speed, "answers": answers}, default=str, indent=2))
        return
    print(f"{len(ordinary)} kinds of call that all three can price:")
    for name, us in speed.items():
        print(f"  {name:<28}{us:>9.2f} us per call{us / speed['farthing']:>9.1f} x farthing")
    print()
    for case in CASES:
        told = answers[case[0]]
        right = case[4]
        if len(set(told.values())) > 1 or (right is not None and told["farthing"] != right.normalize()):
            print(f"{case[0]} ({case[1]}, {case[2]:%Y-%m-%d}): by the price page {right}; {WHY.get(case[0], '')}")
            for name, found in told.items():
                print(f"    {name:<14}{found!s:<26}{verdict(found, right)}")


if __name__ == "__main__":
    main()
