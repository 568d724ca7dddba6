"""Claims about whole bills: the thirty-day example with three applications, e-mails, a chat."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from farthing.estimate.claims.claim import MTOK, Claim, Prices, Verdict, judge, percent, usd, usd_of
from farthing.estimate.claims.rates import CLAUDE_45_DAY, HAIKU_45, SONNET_45
from farthing.units import Unit

CLAUDE_46_DAY = date(2026, 3, 20)
SONNET_46, OPUS_46 = "claude-sonnet-4-6", "claude-opus-4-6"


class _App(NamedTuple):
    """One application of the example month: its calls, tokens in all, mix, and the bill that was printed."""

    name: str
    calls: int
    read: int
    made: int
    models: dict[str, str]
    claimed: Fraction


APPS = (
    _App("assistant", 342, 1_400_000, 510_000, {SONNET_46: "0.9", OPUS_46: "0.1"}, Fraction("19.47")),
    _App("code review", 1247, 9_900_000, 1_000_000, {HAIKU_45: "0.85", SONNET_46: "0.15"}, Fraction("18.93")),
    _App("classifier", 2891, 5_800_000, 1_700_000, {HAIKU_45: "1"}, Fraction("9.42")),
)


def _month(prices: Prices, app: _App, models: dict[str, str] | None = None) -> tuple[Fraction, Fraction]:
    """USD of an application's month: all of it, and its output alone."""
    made = prices.month(
        models or app.models, CLAUDE_46_DAY, calls=app.calls, read=Fraction(app.read), made=Fraction(app.made)
    )
    output = made.by(lambda line: line.unit).get(Unit.OUTPUT, Fraction(0))
    return usd_of(made), output / 10**12


def three_apps(prices: Prices) -> Claim:
    """Claim 16."""
    costs = {app.name: _month(prices, app)[0] for app in APPS}
    total = sum(costs.values(), Fraction(0))
    return Claim(
        16,
        "30 days: 342 calls, 1.4 M/510 k (90 % Sonnet, 10 % Opus) $19.47; 1,247 calls, 9.9 M/1.0 M (85 % Haiku, "
        "15 % Sonnet) $18.93; 2,891 calls, 5.8 M/1.7 M Haiku $9.42; total $47.82",
        f"Sonnet 4.6, Opus 4.6, Haiku 4.5 at list on {CLAUDE_46_DAY}",
        "1.4 x 3.20 + 0.51 x 16; 9.9 x 1.30 + 1.0 x 6.50; 5.8 x 1 + 1.7 x 5",
        f"{' + '.join(usd(cost) for cost in costs.values())} = {usd(total)} before caching; the printed parts do not "
        "follow from the tokens shown",
        Verdict.HOLDS if all(judge(app.claimed, costs[app.name]) is Verdict.HOLDS for app in APPS) else Verdict.WRONG,
        {**costs, "total": total},
    )


def all_on_opus(prices: Prices) -> Claim:
    """Claim 17."""
    printed = usd_of(
        prices.month({OPUS_46: "1"}, CLAUDE_46_DAY, calls=4480, read=Fraction(17_100_000), made=Fraction(3_200_000))
    )
    exact = sum((_month(prices, app, {OPUS_46: "1"})[0] for app in APPS), Fraction(0))
    return Claim(
        17,
        "The same month all on Opus: $142",
        f"17.1 M in, 3.2 M out at 5/25; Opus 4.6 on {CLAUDE_46_DAY}",
        f"17.1 x 5 + 3.2 x 25 = {usd(printed)}; unrounded output of 3.21 M: {usd(exact)}",
        f"{usd(printed)}",
        judge(142, printed),
        {"usd": printed, "unrounded_usd": exact},
    )


def output_share(prices: Prices) -> Claim:
    """Claim 18."""
    months = [_month(prices, app) for app in APPS]
    total = sum((whole for whole, _ in months), Fraction(0))
    output = sum((part for _, part in months), Fraction(0))
    share = output / total
    return Claim(
        18,
        "Output is about 65 % of that bill",
        f"the month of claim 16 at list on {CLAUDE_46_DAY}",
        f"{usd(output)} / {usd(total)} = {percent(share)}",
        f"{percent(share, 0)} at list",
        judge(Fraction(65, 100), share),
        {"share": share},
    )


def classifier_caching(prices: Prices) -> Claim:
    """Claim 19."""
    app, prefix = APPS[2], 2000
    plain = _month(prices, app)[0]
    rest = Fraction(app.read - prefix * app.calls)
    plan = {"tokens": {"system": prefix}, "cache": {"ttl": "5m", "hit_share": 1}}
    cached = prices.month(app.models, CLAUDE_46_DAY, calls=app.calls, read=rest, made=Fraction(app.made), **plan)
    rate = {
        unit: prices.rate(HAIKU_45, unit, CLAUDE_46_DAY) / MTOK
        for unit in (Unit.INPUT, Unit.CACHE_WRITE_5M, Unit.CACHE_READ, Unit.OUTPUT)
    }
    reads = prefix * (app.calls - 1)
    best = (
        rest * rate[Unit.INPUT]
        + prefix * rate[Unit.CACHE_WRITE_5M]
        + reads * rate[Unit.CACHE_READ]
        + app.made * rate[Unit.OUTPUT]
    )
    saved = 1 - best / plain
    too_short = cached.units(Unit.CACHE_READ) == 0
    return Claim(
        19,
        "The Haiku classifier would cost $78 uncached; caching saved 88 %",
        f"2,891 calls, 5.8 M/1.7 M, a 2,000-token system prompt; Haiku 4.5 on {CLAUDE_46_DAY}",
        f"uncached 5.8 x 1 + 1.7 x 5 = {usd(plain)}; at best one write, then {reads:,} tokens at 0.10: {usd(best)}",
        f"{usd(plain)} uncached; {usd(best, 1)} at best ({percent(saved, 0)})"
        + ("; and Haiku 4.5 caches from 4,096 tokens on, so nothing is cached at all" if too_short else ""),
        Verdict.WRONG if judge(78, plain) is Verdict.WRONG else judge(Fraction(88, 100), saved),
        {"plain_usd": plain, "best_usd": best, "saved": saved, "through_estimator_usd": usd_of(cached)},
    )


def emails(prices: Prices) -> Claim:
    """Claim 20."""
    read, made = Fraction(500 * 2000), Fraction(500 * 600)
    plain, batch = (
        usd_of(prices.month({HAIKU_45: "1"}, CLAUDE_46_DAY, calls=500, read=read, made=made, batch_share=share))
        for share in (0, 1)
    )
    return Claim(
        20,
        "500 e-mails (2,000 in, 600 out) on Haiku cost $12, in a batch $6",
        f"Haiku 4.5 on {CLAUDE_46_DAY}",
        f"1.0 M x 1 + 0.3 M x 5 = {usd(plain)}; x 0.5 = {usd(batch)}",
        f"{usd(plain)}, in a batch {usd(batch)}",
        judge(12, plain),
        {"usd": plain, "batch_usd": batch},
    )


def chat_a_day(prices: Prices) -> Claim:
    """Claim 23."""
    conversations = 10_000
    output = usd_of(
        prices.month(
            {SONNET_45: "1"}, CLAUDE_45_DAY, calls=conversations, read=Fraction(0), made=Fraction(200 * conversations)
        )
    )
    per_token = prices.rate(SONNET_45, Unit.INPUT, CLAUDE_45_DAY) / MTOK
    needed = (100 - output) / conversations / per_token
    return Claim(
        23,
        "200-token answers, 10,000 conversations a day on Sonnet: low hundreds of dollars a day",
        f"Sonnet 4.5 on {CLAUDE_45_DAY}; the claim names no input",
        f"10,000 x 200 = 2 M x 15 = {usd(output)}; (100 - {float(output):g}) / 10,000 / 3 per M = {float(needed):,.0f}",
        f"{usd(output)} a day of output; hundreds need {float(needed):,.0f} or more input tokens per conversation",
        Verdict.DEPENDS if output < 100 else Verdict.HOLDS,
        {"output_usd_per_day": output, "input_tokens_needed": needed},
    )
