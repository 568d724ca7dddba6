"""Claims about prompt caching, alone and with batches."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from farthing.estimate.breakeven import hits_to_pay
from farthing.estimate.claims.claim import Claim, Prices, Verdict, judge, percent, rate_text, usd, usd_of
from farthing.estimate.claims.rates import CLAUDE_3, CLAUDE_45_DAY, HAIKU_45, SONNET_45
from farthing.units import Unit

CLAUDE_3_BATCH_DAY = date(2025, 1, 15)
TODAY = date(2026, 11, 20)


def contract_questions(prices: Prices) -> Claim:
    """Claim 6."""
    plan = {
        "tokens": {"documents": 25_000},
        "conversation": {"turns": 10, "history": "none"},
        "cache": {"ttl": "5m", "through": "documents", "hit_share": 1},
    }
    nothing = Fraction(0)
    cached = prices.month({SONNET_45: "1"}, CLAUDE_45_DAY, calls=10, read=nothing, made=nothing, **plan)
    plain = prices.month(
        {SONNET_45: "1"}, CLAUDE_45_DAY, calls=10, read=nothing, made=nothing, **plan | {"cache": {"ttl": "none"}}
    )
    saved = 1 - usd_of(cached) / usd_of(plain)
    written, read = cached.units(Unit.CACHE_WRITE_5M), cached.units(Unit.CACHE_READ)
    return Claim(
        6,
        "A 25,000-token contract, 10 questions: caching saves about 90 % of the document part",
        f"one 5-minute write, nine reads; Sonnet 4.5 on {CLAUDE_45_DAY}",
        f"({float(written):,g} x 1.25 + {float(read):,g} x 0.10) / 250,000 = {percent(1 - saved)} of the plain price",
        f"{percent(saved)}",
        judge(Fraction(9, 10), saved),
        {"saved": saved, "cached_usd": usd_of(cached), "plain_usd": usd_of(plain)},
    )


def cache_break_even(prices: Prices) -> Claim:
    """Claim 7."""
    rates = {
        unit: prices.rate(SONNET_45, unit, CLAUDE_45_DAY)
        for unit in (Unit.INPUT, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.CACHE_READ)
    }
    hits_5m = hits_to_pay(rates[Unit.INPUT], rates[Unit.CACHE_WRITE_5M], rates[Unit.CACHE_READ])
    hits_1h = hits_to_pay(rates[Unit.INPUT], rates[Unit.CACHE_WRITE_1H], rates[Unit.CACHE_READ])
    assert hits_5m is not None
    assert hits_1h is not None
    return Claim(
        7,
        "Caching breaks even after 1.39 hits",
        f"writes at 1.25x (5m) and 2x (1h), reads at 0.10x; Sonnet 4.5 on {CLAUDE_45_DAY}",
        f"5m: 0.25 / 0.90 = {float(hits_5m):.3f}; 1h: 1.00 / 0.90 = {float(hits_1h):.2f}",
        f"{float(hits_5m):.3f} hits: with 5m the first hit pays; with 1h {float(hits_1h):.2f}, so the second",
        judge(Fraction(139, 100), hits_5m),
        {"hits_5m": hits_5m, "hits_1h": hits_1h},
    )


def under_three_dollars(prices: Prices) -> Claim:
    """Claim 8."""
    opus, haiku = CLAUDE_3[0], CLAUDE_3[2]
    day = CLAUDE_3_BATCH_DAY
    read = prices.rate(haiku, Unit.CACHE_READ, day, tier="batch")
    opus_read, opus_made = prices.rate(opus, Unit.INPUT, day), prices.rate(opus, Unit.OUTPUT, day)
    at_input = 1000 * read / opus_read
    made = prices.rate(haiku, Unit.OUTPUT, day, tier="batch")
    at_output = 1000 * made / opus_made
    share = (3 - at_input) / (at_output - at_input)
    half = (at_input + at_output) / 2
    return Claim(
        8,
        "$1,000 on Opus 3 becomes under $3 on Haiku 3 with cache and batch",
        f"all input read from the cache, all in batches; rates of {day}; Haiku 3 reads are $0.03, not 0.1x",
        f"input 1,000 x {rate_text(read)} / {rate_text(opus_read)} = {usd(at_input)}; "
        f"output 1,000 x {rate_text(made)} / {rate_text(opus_made)} = {usd(at_output)}",
        f"{usd(at_input)} where none of the bill is output, {usd(half)} at 50 %, {usd(at_output)} at 100 %: "
        f"under $3 only below {percent(share, 0)} output",
        Verdict.DEPENDS if at_input < 3 < at_output else judge(3, at_output),
        {"at_0": at_input, "at_50": half, "at_100": at_output, "output_share_max": share},
    )


def million_a_year(prices: Prices) -> Claim:
    """Claim 10."""
    calls = 100_000  # 5,000 input tokens each: 500 M in all, and a prefix long enough to be cached
    plan = {"tokens": {"system": 3000}, "cache": {"ttl": "5m", "hit_share": 1, "batch_hit_share": 1}, "batch_share": 1}
    rest = Fraction(2000 * calls)
    best = usd_of(prices.month({SONNET_45: "1"}, CLAUDE_45_DAY, calls=calls, read=rest, made=Fraction(0), **plan))
    plain_plan = {"tokens": {"system": 3000}}
    plain = usd_of(
        prices.month({SONNET_45: "1"}, CLAUDE_45_DAY, calls=calls, read=rest, made=Fraction(0), **plain_plan)
    )
    saved = (plain - best) * 12
    return Claim(
        10,
        "500 M input tokens a month, 60 % cacheable: batch and cache save over $1 M a year at 3/15",
        f"Sonnet 4.5 on {CLAUDE_45_DAY}, every cacheable token a read, everything in batches",
        f"{usd(plain)} - (300 M x 0.15 + 200 M x 1.50 = {usd(best)}) = {usd(plain - best)} a month, x 12",
        f"at most {usd(saved)} a year; the whole input costs {usd(plain * 12)}",
        Verdict.HOLDS if saved > 1_000_000 else Verdict.WRONG,
        {"usd_per_year": saved, "plain_usd_per_month": plain, "best_usd_per_month": best},
    )


def batch_and_cache(prices: Prices) -> Claim:
    """Claim 14."""
    figures = {}
    for name, model, day in (
        ("0.1x", SONNET_45, CLAUDE_45_DAY),
        ("0.05x", "claude-opus-5-5", TODAY),
        ("0.025x", "claude-fable-5-2", TODAY),
    ):
        read = prices.rate(model, Unit.CACHE_READ, day, tier="batch")
        figures[name] = 1 - read / prices.rate(model, Unit.INPUT, day)
    tenth, twentieth, fortieth = figures.values()
    return Claim(
        14,
        "Batch and cache read together take 95 % off the cached part",
        f"Sonnet 4.5 on {CLAUDE_45_DAY}; Opus 5.5 and Fable 5.2 on {TODAY}",
        f"1 - 0.5 x 0.1 = {percent(tenth)}; 1 - 0.5 x 0.05 = {percent(twentieth)}; "
        f"1 - 0.5 x 0.025 = {percent(fortieth, 2)}",
        f"{percent(tenth)} where reads are 0.1x, {percent(twentieth)} at 0.05x, {percent(fortieth, 2)} at 0.025x",
        judge(Fraction(95, 100), tenth),
        figures,
    )


def cached_batch_haiku(prices: Prices) -> Claim:
    """Claim 21."""
    read = prices.rate(HAIKU_45, Unit.CACHE_READ, CLAUDE_45_DAY, tier="batch")
    return Claim(
        21,
        "Cached Haiku 4.5 batch input costs about $0.05 per million tokens",
        f"Haiku 4.5 on {CLAUDE_45_DAY}",
        f"1 x 0.1 x 0.5 = {rate_text(read)}",
        f"${rate_text(read)}",
        judge(Fraction(5, 100), read),
        {"usd_per_mtok": read},
    )
