"""Claims about how many tokens there are, and about machines of one's own."""

from __future__ import annotations

from fractions import Fraction

from farthing.estimate.claims.claim import MTOK, Claim, Prices, Verdict, judge, usd
from farthing.estimate.conversation import turns_of
from farthing.estimate.point import averages
from farthing.estimate.reading import decode
from farthing.estimate.selfhosted import HOURS_PER_MONTH
from farthing.estimate.sizes import ends
from farthing.estimate.tokenizer import exact
from farthing.estimate.workload import SelfHosted
from farthing.tokens.generation import NEW_PER_OLD
from farthing.tokens.images import image_tokens
from farthing.units import Kind

WORDS_PER_MTOK = {"pre-4.7": 750_000, "4.7": 555_000}
"""English words per million tokens. Source: pricing facts, 4.11 (models and pricing pages), checked 2026-10."""

PAGE_TEXT_TOKENS = (1500, 3000)
A4_SCAN_PX = (1075, 1520)
"""A typical page's text, and the vision page's own scan of one. Source: facts on the Claude API, 7.2 and 7.3."""


def system_prompt_a_day(prices: Prices) -> Claim:
    """Claim 4."""
    del prices
    tokens = Fraction(2000 * MTOK)
    return Claim(
        4,
        "A 2,000-token system prompt x 1 M calls is 2 B tokens a day",
        "counts alone",
        "2,000 x 1,000,000 = 2,000,000,000",
        f"{float(tokens) / 1e9:g} B",
        judge(2 * 10**9, tokens),
        {"tokens": tokens},
    )


def replayed_turns(prices: Prices) -> Claim:
    """Claim 5."""
    del prices
    figures: dict[str, Fraction] = {}
    for count in (10, 20):
        raw = {"model": "claude-sonnet-5", "volume": {"calls_per_month": 1}, "tokens": {"user": 200}}
        workload = decode({**raw, "conversation": {"turns": count}}, "a published claim")
        prompts = [turn.prompt for turn in turns_of(workload, averages(workload))]
        figures |= {f"last_{count}": prompts[-1], f"all_{count}": sum(prompts, Fraction(0))}
    return Claim(
        5,
        "10 turns of 200 tokens replay 2,000 tokens on the last turn, 20 turns 4,000",
        "full history is sent again each turn",
        f"10 x 200 = {float(figures['last_10']):,g}, in all {float(figures['all_10']):,g}; "
        f"20 x 200 = {float(figures['last_20']):,g}, in all {float(figures['all_20']):,g}",
        "holds if 200 is question and answer together; what is billed over the conversation is "
        f"{float(figures['all_10']):,g} and {float(figures['all_20']):,g}",
        Verdict.DEPENDS if figures["last_10"] == 2000 and figures["last_20"] == 4000 else Verdict.WRONG,
        figures,
    )


def words(prices: Prices) -> Claim:
    """Claim 24."""
    del prices
    old, new = (Fraction(1000 * MTOK, WORDS_PER_MTOK[tokenizer]) for tokenizer in ("pre-4.7", "4.7"))
    by_factor = old * exact(NEW_PER_OLD.typical)
    return Claim(
        24,
        "1,000 English words are 700-800 tokens; a word is 1.3 tokens",
        "750,000 words per million tokens on older tokenizers, 555,000 since Opus 4.7",
        f"1,000 x 1 M / 750,000 = {float(old):,.0f}; / 555,000 = {float(new):,.0f}; "
        f"{float(old):,.0f} x {NEW_PER_OLD.typical:.2f} = {float(by_factor):,.0f}",
        f"the two contradict each other (700-800 is words per 1,000 tokens): about {float(old):,.0f} tokens, and "
        f"{float(by_factor):,.0f} to {float(new):,.0f} on tokenizers since Opus 4.7",
        Verdict.WRONG,
        {"old": old, "new_by_words": new, "new_by_factor": by_factor},
        Kind.ASSUMED,
    )


def one_gpu(prices: Prices) -> Claim:
    """Claim 25."""
    del prices
    low, high = (HOURS_PER_MONTH * end for end in ends(SelfHosted().usd_per_gpu_hour))
    return Claim(
        25,
        "Self-hosting a 70 B model pays from $500-1,000 of API spend a month",
        "$2-4 per GPU hour, one GPU always on",
        f"730 h x $2 = {usd(low)}; 730 h x $4 = {usd(high)}",
        f"{usd(low)} to {usd(high)} a month for one GPU before staff, so not below that",
        Verdict.HOLDS if low <= 1000 else Verdict.WRONG,
        {"low_usd": low, "high_usd": high},
        Kind.ASSUMED,
    )


def pdf_pages(prices: Prices) -> Claim:
    """Claim 26."""
    del prices
    figures: dict[str, Fraction] = {}
    parts = []
    for name, tier in (("older models", "standard"), ("since Opus 4.7", "high")):
        page = image_tokens(*A4_SCAN_PX, "standard" if tier == "standard" else "high")
        low, high = (10 * (text + page) for text in PAGE_TEXT_TOKENS)
        figures |= {f"{tier}_page": Fraction(page), f"{tier}_low": Fraction(low), f"{tier}_high": Fraction(high)}
        parts.append(f"{name} 10 x (1,500 to 3,000 text + {page:,} image) = {low:,} to {high:,}")
    return Claim(
        26,
        "A 10-page PDF adds 5,000-8,000 tokens",
        "each page is billed as its text and as an image; A4 scans of 1075 x 1520 pixels",
        "; ".join(parts),
        f"{float(figures['standard_low']):,g} to {float(figures['standard_high']):,g} tokens, on models since Opus 4.7 "
        f"{float(figures['high_low']):,g} to {float(figures['high_high']):,g}",
        Verdict.WRONG if figures["standard_low"] > 8000 else Verdict.HOLDS,
        figures,
        Kind.ASSUMED,
    )
