"""Claims about list rates: ratios between models, between vendors, and what moving output would save."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import product

from farthing.estimate.claims.claim import MTOK, Claim, Prices, Verdict, judge, percent, rate_text, usd, usd_of
from farthing.units import Unit

CLAUDE_3_DAY = date(2024, 3, 14)
CLAUDE_35_DAY = date(2024, 7, 1)
CLAUDE_45_DAY = date(2025, 12, 1)
OPUS_45, SONNET_45, HAIKU_45 = "claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
CLAUDE_3 = ("claude-3-opus-20240229", "claude-3-sonnet-20240229", "claude-3-haiku-20240307")


def opus_over_haiku(prices: Prices) -> Claim:
    """Claim 1."""
    opus = prices.rate(CLAUDE_3[0], Unit.OUTPUT, CLAUDE_3_DAY)
    haiku = prices.rate(CLAUDE_3[2], Unit.OUTPUT, CLAUDE_3_DAY)
    ratio = opus / haiku
    return Claim(
        1,
        "Opus output costs 60x Haiku output at the Claude 3 launch",
        f"Opus 3 and Haiku 3 on {CLAUDE_3_DAY}",
        f"{rate_text(opus)} / {rate_text(haiku)} = {float(ratio):g}",
        f"{float(ratio):g}x",
        judge(60, ratio),
        {"ratio": ratio},
    )


def output_in_input(prices: Prices) -> Claim:
    """Claim 2."""
    ratios = {
        prices.rate(model, Unit.OUTPUT, CLAUDE_3_DAY) / prices.rate(model, Unit.INPUT, CLAUDE_3_DAY)
        for model in CLAUDE_3
    }
    low, high = min(ratios) * 2000, max(ratios) * 2000
    return Claim(
        2,
        "2,000 output tokens cost about as much as 10,000 input tokens",
        f"every Claude 3 model on {CLAUDE_3_DAY}",
        f"2,000 x output rate / input rate = {float(low):,g} on each",
        f"{float(low):,g} input tokens ({float(min(ratios)):g}x)",
        Verdict.HOLDS if low == high == 10_000 else Verdict.WRONG,
        {"input_tokens_low": low, "input_tokens_high": high},
    )


def sonnet_to_haiku(prices: Prices) -> Claim:
    """Claim 3."""
    sonnet_35, haiku_3 = "claude-3-5-sonnet-20240620", CLAUDE_3[2]
    day = {
        model: usd_of(
            prices.month({model: "1"}, CLAUDE_35_DAY, calls=MTOK, read=Fraction(0), made=Fraction(500 * MTOK))
        )
        for model in (sonnet_35, haiku_3)
    }
    saved = day[sonnet_35] - day[haiku_3]
    mistaken = day[sonnet_35] - 500 * prices.rate(haiku_3, Unit.INPUT, CLAUDE_35_DAY)
    return Claim(
        3,
        "Sonnet 3.5 to Haiku 3 at 1 M calls a day of 500 output tokens saves $7,375 a day, $2.7 M a year",
        f"500 M output tokens a day, rates of {CLAUDE_35_DAY}",
        f"{usd(day[sonnet_35])} - {usd(day[haiku_3])} = {usd(saved)} a day; x 365 = {usd(saved * 365)}",
        f"{usd(saved)} a day, {usd(saved * 365 / MTOK)} M a year; "
        f"{usd(mistaken)} comes from subtracting Haiku's input rate",
        judge(7375, saved),
        {"usd_per_day": saved, "usd_per_year": saved * 365, "mistaken_usd_per_day": mistaken},
    )


def opus_to_opus(prices: Prices) -> Claim:
    """Claim 9."""
    models = ("claude-opus-4-1-20250805", OPUS_45)
    old, new = (
        usd_of(prices.month({model: "1"}, CLAUDE_45_DAY, calls=MTOK, read=Fraction(0), made=Fraction(100 * MTOK)))
        for model in models
    )
    return Claim(
        9,
        "100 M output tokens a month, Opus 4.1 to Opus 4.5, saves $5,000 a month",
        f"rates of {CLAUDE_45_DAY}",
        f"{usd(old)} - {usd(new)} = {usd(old - new)}",
        f"{usd(old - new)} a month, {usd((old - new) * 12)} a year",
        judge(5000, old - new),
        {"usd_per_month": old - new, "usd_per_year": (old - new) * 12},
    )


def thinking_a_day(prices: Prices) -> Claim:
    """Claim 11."""
    day = usd_of(
        prices.month(
            {OPUS_45: "1"},
            CLAUDE_45_DAY,
            calls=100_000,
            read=Fraction(0),
            made=Fraction(0),
            tokens={"thinking": 4000},
        )
    )
    rate = prices.rate(OPUS_45, Unit.OUTPUT, CLAUDE_45_DAY)
    return Claim(
        11,
        "4,000 thinking tokens x 100,000 requests a day on Opus 4.5 cost $10,000 a month",
        f"thinking is billed as output; rates of {CLAUDE_45_DAY}",
        f"4,000 x 100,000 = 400 M a day x {rate_text(rate)} per M = {usd(day)}",
        f"{usd(day)} a day, {usd(day * 30)} in 30 days",
        judge(10_000, day * 30),
        {"usd_per_day": day, "usd_per_month": day * 30},
    )


def blended_rate(prices: Prices) -> Claim:
    """Claim 12."""
    models = (HAIKU_45, SONNET_45, OPUS_45)
    ranges = ((40, 60), (30, 40), (10, 20))
    # A linear blend is extreme at a corner of the ranges; the third share is what the other two leave.
    mixes = [
        (100 - sonnet - opus, sonnet, opus)
        for sonnet, opus in product(ranges[1], ranges[2])
        if ranges[0][0] <= 100 - sonnet - opus <= ranges[0][1]
    ]

    def blend(mix: tuple[int, ...], unit: Unit) -> Fraction:
        parts = zip(mix, models, strict=True)
        return sum((share * prices.rate(model, unit, CLAUDE_45_DAY) for share, model in parts), Fraction(0)) / 100

    low, high = min(mixes, key=lambda mix: blend(mix, Unit.INPUT)), max(mixes, key=lambda mix: blend(mix, Unit.INPUT))
    figures = {
        "input_low": blend(low, Unit.INPUT),
        "input_high": blend(high, Unit.INPUT),
        "output_low": blend(low, Unit.OUTPUT),
        "output_high": blend(high, Unit.OUTPUT),
    }
    is_inside = figures["input_low"] <= Fraction("1.6") <= figures["input_high"]
    return Claim(
        12,
        "Routing 40-60 % to Haiku, 30-40 % to Sonnet, 10-20 % to Opus blends to $1.60 in, $8.00 out",
        f"Haiku 4.5, Sonnet 4.5, Opus 4.5 on {CLAUDE_45_DAY}",
        f"{low[0]} % x 1 + {low[1]} % x 3 + {low[2]} % x 5 = {usd(figures['input_low'])}; "
        f"{high[0]} % x 1 + {high[1]} % x 3 + {high[2]} % x 5 = {usd(figures['input_high'])}; output five times that",
        f"{usd(figures['input_low'])}/{usd(figures['output_low'])} to {usd(figures['input_high'])}/"
        f"{usd(figures['output_high'])} over those ranges",
        Verdict.HOLDS if is_inside else Verdict.WRONG,
        figures,
    )


def four_vendors(prices: Prices) -> Claim:
    """Claim 13."""
    on, deepseek_on = date(2025, 10, 1), date(2025, 9, 1)
    sonnet = prices.rate(SONNET_45, Unit.INPUT, on), prices.rate(SONNET_45, Unit.OUTPUT, on)
    rates = {
        "Sonnet 4.5": sonnet,
        "GPT-4o": prices.other_rate("openai", "gpt-4o", on),
        "Gemini 2.5 Pro": prices.other_rate("google", "gemini-2.5-pro", on),
        "DeepSeek V3": prices.other_rate("deepseek", "deepseek-chat (V3)", deepseek_on),
    }
    figures = {name: 700 * read + 300 * made for name, (read, made) in rates.items()}
    claimed = {"Sonnet 4.5": 6600, "GPT-4o": 4750, "Gemini 2.5 Pro": 3875, "DeepSeek V3": 519}
    holds = all(judge(claimed[name], cost) is Verdict.HOLDS for name, cost in figures.items())
    over_gpt = figures["Sonnet 4.5"] / figures["GPT-4o"] - 1
    over_gemini = figures["Sonnet 4.5"] / figures["Gemini 2.5 Pro"] - 1
    return Claim(
        13,
        "700 M in and 300 M out: Sonnet 4.5 $6,600, GPT-4o $4,750, Gemini 2.5 Pro $3,875, DeepSeek V3 $519",
        f"list, short prompts, on {on}; DeepSeek V3 on {deepseek_on}, for its rate ended about 2025-09-05",
        "; ".join(
            f"{name} 700 x {rate_text(read)} + 300 x {rate_text(made)} = {usd(figures[name])}"
            for name, (read, made) in rates.items()
        ),
        f"as printed, each at its own day; {percent(over_gpt, 0)} over GPT-4o, {percent(over_gemini, 0)} over Gemini; "
        "token counts of other vendors differ and are not in it",
        Verdict.HOLDS if holds else Verdict.WRONG,
        {**figures, "over_gpt_4o": over_gpt, "over_gemini": over_gemini},
    )


def opus_over_sonnet(prices: Prices) -> Claim:
    """Claim 15."""
    pairs = {
        unit: (prices.rate(OPUS_45, unit, CLAUDE_45_DAY), prices.rate(SONNET_45, unit, CLAUDE_45_DAY))
        for unit in (Unit.INPUT, Unit.OUTPUT)
    }
    opus, sonnet = pairs[Unit.INPUT]
    figures = {str(unit): first / second for unit, (first, second) in pairs.items()}
    ratio = opus / sonnet
    return Claim(
        15,
        "Opus is a 5x premium over Sonnet (4.5 generation)",
        f"Opus 4.5 and Sonnet 4.5 on {CLAUDE_45_DAY}",
        f"{rate_text(opus)} / {rate_text(sonnet)} = {float(ratio):.2f}, and the same for output",
        f"{float(ratio):.2f}x",
        judge(5, ratio),
        figures,
    )


def long_prompt_premium(prices: Prices) -> Claim:
    """Claim 22."""
    last, first = date(2026, 3, 12), date(2026, 3, 13)
    ratios = {
        day: prices.rate("claude-opus-4-6", Unit.INPUT, day, prompt=200_001)
        / prices.rate("claude-opus-4-6", Unit.INPUT, day, prompt=200_000)
        for day in (last, first)
    }
    output = prices.rate("claude-opus-4-6", Unit.OUTPUT, last, prompt=200_001) / prices.rate(
        "claude-opus-4-6", Unit.OUTPUT, last
    )
    depends = ratios[last] == 2 and ratios[first] == 1
    return Claim(
        22,
        "Over 200 k input tokens the price doubles on Opus 4.6",
        f"input rate at 200,001 over 200,000 prompt tokens, on {last} and {first}",
        f"{last}: {float(ratios[last]):g}x; {first}: {float(ratios[first]):g}x",
        f"true until {first}, then not (and even before, output rose {float(output):g}x only)",
        Verdict.DEPENDS if depends else Verdict.WRONG,
        {"before": ratios[last], "after": ratios[first], "output_before": output},
    )
