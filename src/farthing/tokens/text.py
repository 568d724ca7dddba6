"""
Text to tokens without a tokenizer: so much per word, per long word, per digit, per mark, per character of each script.

No tokenizer of Claude 3 or later is public. The weights for the older generation were fitted to real counts: Claude 3
Haiku's billed input and output tokens for 239 of the 484 requests of the RouterArena sample, and checked on the other
245; ``docs/tokens.md`` shows the errors. The vendor's rule of thumb for English (4 characters per token, 750 k words
per million tokens; facts: claude-api 7.1, prices 4.11) agrees. The newer generation is the older one times
:data:`~farthing.tokens.generation.NEW_PER_OLD`: published, but not checked by us, for no text with counts was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.tokens.figure import NOTHING, Estimate, within
from farthing.tokens.generation import factor_between
from farthing.tokens.letters import ContentKind, Makeup, Script, makeup

if TYPE_CHECKING:
    from farthing.tokens.models import Tokenizer

# Fitted, rounded; see the module's docstring. Tokens of the older tokenizer per unit of each count.
_PER_WORD = 1.015
_PER_LETTER_PAST_5 = 0.07
_PER_LETTER_PAST_9 = 0.125  # on top of the above
_PER_CAPITAL_PAST_2 = 0.8
_PER_HUMP = 1.0
_PER_DIGIT = 0.82
_PER_MARK_RUN = 1.1
_PER_MARK = 0.15
_PER_NEWLINE_RUN = 0.95
_PER_GAP = 0.1
_PER_WHITE_PAST_16 = 1 / 16  # assumed: no sample has such runs, but a megabyte of blanks is not free
_PER_FOREIGN_LETTER = 0.18  # on top of the above; ten answers in German, Finnish, Lithuanian, Czech

_PER_CHARACTER: dict[Script, float] = {
    Script.LATIN: 0.6,  # those ten answers
    Script.CYRILLIC: 0.5,  # one Russian answer (0.41) and two Kazakh (0.6)
    Script.INDIC: 1.15,  # seven Gujarati answers; assumed for the rest
    Script.CJK: 0.9,  # one Chinese answer, 21 characters
    Script.SYMBOL: 2.0,  # 70 mathematical signs
    Script.TYPOGRAPHY: 2.0,  # 71 dashes and curly quotes; near 1 where text uses them regularly
    Script.KANA: 0.9,  # this and all below: assumed, no count seen
    Script.HANGUL: 1.1,
    Script.GREEK: 0.7,
    Script.SEMITIC: 0.7,
    Script.EMOJI: 2.5,
}


class Margin(NamedTuple):
    """Relative error to each side, and whether it was measured on real counts or is believed."""

    share: float
    measured: bool


MARGINS: dict[ContentKind, Margin] = {
    ContentKind.PROSE: Margin(0.13, measured=True),
    ContentKind.CODE: Margin(0.15, measured=True),
    ContentKind.JSON: Margin(0.25, measured=False),
    ContentKind.CJK: Margin(0.45, measured=False),
    ContentKind.OTHER: Margin(0.35, measured=False),
    ContentKind.MIXED: Margin(0.25, measured=False),
}
"""The interval's half width per kind, for the older tokenizer; ``docs/tokens.md`` says how each came about."""

_SLACK_TOKENS = 1
"""Added to the interval on both sides: a few words are decided by single tokens."""


def estimate_text(text: str, tokenizer: Tokenizer) -> Estimate:
    """
    Estimate the tokens of *text* alone, without any framing.

    Returns:
        An ``assumed`` estimate whose basis names the content kind and the error. The empty text is nothing, exactly;
        any other is at least one token.

    """
    return estimate_with_kind(text, tokenizer)[0]


def estimate_with_kind(text: str, tokenizer: Tokenizer) -> tuple[Estimate, ContentKind]:
    """As :func:`estimate_text`, and the kind of content it was taken for."""
    if not text:
        return NOTHING, ContentKind.PROSE
    parts = makeup(text)
    kind = parts.kind
    return _interval(older_tokens(parts), kind, tokenizer), kind


def older_tokens(parts: Makeup) -> float:
    """Expected tokens under the older tokenizer, unrounded."""
    ascii_tokens = (
        parts.words * _PER_WORD
        + parts.letters_past_5 * _PER_LETTER_PAST_5
        + parts.letters_past_9 * _PER_LETTER_PAST_9
        + parts.capitals_past_2 * _PER_CAPITAL_PAST_2
        + parts.humps * _PER_HUMP
        + parts.digits * _PER_DIGIT
        + parts.mark_runs * _PER_MARK_RUN
        + parts.marks * _PER_MARK
        + parts.newline_runs * _PER_NEWLINE_RUN
        + parts.gaps * _PER_GAP
        + parts.white_past_16 * _PER_WHITE_PAST_16
    )
    foreign = parts.letters * _PER_FOREIGN_LETTER if parts.foreign else 0.0
    return ascii_tokens + foreign + sum(_PER_CHARACTER[script] * count for script, count in parts.scripts.items())


def _interval(older: float, kind: ContentKind, tokenizer: Tokenizer) -> Estimate:
    margin = MARGINS[kind]
    factor = factor_between("pre-4.7", tokenizer)
    error = f"{kind} +-{margin.share:.0%} {'measured' if margin.measured else 'assumed'} on the older tokenizer"
    scaled = f", x {factor.typical:.2f} ({factor.low:.2f} to {factor.high:.2f}) for the newer"
    return within(
        older * (1 - margin.share) * factor.low - _SLACK_TOKENS,
        max(1.0, older * factor.typical),
        older * (1 + margin.share) * factor.high + _SLACK_TOKENS,
        error + (scaled if tokenizer == "4.7" else ""),
    )
