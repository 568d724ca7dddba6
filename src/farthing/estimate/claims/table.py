"""All claims in order, and the page that shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from farthing.estimate.claims import bills, caching, rates, tokens
from farthing.estimate.claims.claim import Prices, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.estimate.claims.claim import Claim
    from farthing.prices.book import PriceBook

RECOMPUTATIONS: tuple[Callable[[Prices], Claim], ...] = (
    rates.opus_over_haiku,
    rates.output_in_input,
    rates.sonnet_to_haiku,
    tokens.system_prompt_a_day,
    tokens.replayed_turns,
    caching.contract_questions,
    caching.cache_break_even,
    caching.under_three_dollars,
    rates.opus_to_opus,
    caching.million_a_year,
    rates.thinking_a_day,
    rates.blended_rate,
    rates.four_vendors,
    caching.batch_and_cache,
    rates.opus_over_sonnet,
    bills.three_apps,
    bills.all_on_opus,
    bills.output_share,
    bills.classifier_caching,
    bills.emails,
    caching.cached_batch_haiku,
    rates.long_prompt_premium,
    bills.chat_a_day,
    tokens.words,
    tokens.one_gpu,
    tokens.pdf_pages,
)


def recompute_claims(book: PriceBook) -> list[Claim]:
    """Every claim, recomputed from *book*, in the order of their numbers."""
    prices = Prices(book)
    claims = [recompute(prices) for recompute in RECOMPUTATIONS]
    assert [claim.number for claim in claims] == list(range(1, len(claims) + 1)), "claims are numbered in order"
    return claims


_INTRODUCTION = """\
# Published claims, recomputed

Guides on Claude pricing print numbers, and readers plan with them. Here each is recomputed from its inputs through
farthing's price book and estimator, at rates of the claim's time. *Holds* means within two per cent of what was
printed. Run `farthing estimate claims` for the same table from the book you have; this page is written by
`render_claims()` and a test fails when it is stale.
"""


def render_claims(book: PriceBook) -> str:
    """The text of ``docs/claims.md``."""
    claims = recompute_claims(book)
    lines = [
        _INTRODUCTION,
        _tally(claims),
        "",
        "| # | claim | inputs | arithmetic | what it really is | verdict | kind |",
        "| ---: | --- | --- | --- | --- | --- | --- |",
    ]
    for claim in claims:
        cells = (claim.claim, claim.inputs, claim.arithmetic, claim.really, f"**{claim.verdict}**", str(claim.kind))
        lines.append(f"| {claim.number} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _tally(claims: list[Claim]) -> str:
    count = Counter(claim.verdict for claim in claims)
    holding, wrong, depending = count[Verdict.HOLDS], count[Verdict.WRONG], count[Verdict.DEPENDS]
    return f"Of {len(claims)} claims {holding} hold, {wrong} are wrong and {depending} depend."
