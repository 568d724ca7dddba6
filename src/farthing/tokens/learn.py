"""
A correction to the estimate, learned from calls whose real prompt size is known, per model and content kind.

Theory. Each metered call gives a ratio: real text tokens over estimated ones. Two things are kept per (model, kind),
all of them integers, so that merging is exact in any order: sums, for the ratio of means (right for totals, hence for
money), and a histogram of the calls' ratios, for the interval (free of any assumption about their shape). Both are
shrunk towards "no correction" as if :data:`PRIOR_CALLS` more calls had been seen that agreed with the estimate. Each
call's ratio is clipped to a quarter and four times: one mis-attributed call moves a mean by a bounded amount.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from farthing.errors import BadInput
from farthing.tokens.figure import Estimate, within
from farthing.tokens.letters import ContentKind
from farthing.tokens.models import Unknowable, traits_of
from farthing.tokens.request import TEXT_SECTIONS, RequestEstimate

PRIOR_CALLS = 10
RATIO_MAX = 4
"""A ratio outside ``1 / RATIO_MAX .. RATIO_MAX`` is counted at the bound."""

_BINS_PER_OCTAVE = 24  # 2.9 % a bin
_BIN_MAX = round(math.log2(RATIO_MAX) * _BINS_PER_OCTAVE)
_COVERAGE = 0.9
_TEXT_SHARE_MIN = 0.5
_STATE_VERSION = 1


class Stats(msgspec.Struct, frozen=True):
    """
    What was seen of one model and content kind. All counts are >= 0; size is bounded by the number of bins, 97.

    Attributes:
        calls: Calls learned from.
        estimated_tokens: Sum of what was estimated for their text.
        real_tokens: Sum of what their text really was, each clipped as above.
        clipped_calls: Calls whose ratio was outside the bounds.
        ratio_bins: Calls per ratio: bin ``b`` holds ratios around ``2 ** (b / 24)``.

    """

    calls: int = 0
    estimated_tokens: int = 0
    real_tokens: int = 0
    clipped_calls: int = 0
    ratio_bins: dict[int, int] = {}

    def with_call(self, estimated: int, real: int) -> Stats:
        """One more call; *estimated* >= 1, *real* >= 0."""
        clipped = max(-(-estimated // RATIO_MAX), min(real, estimated * RATIO_MAX))
        position = round(math.log2(clipped / estimated) * _BINS_PER_OCTAVE)
        position = max(-_BIN_MAX, min(_BIN_MAX, position))
        one = Stats(1, estimated, clipped, int(clipped != real), {position: 1})
        return self.merged(one)

    def merged(self, other: Stats) -> Stats:
        """Both together; in any order and grouping the same."""
        bins = dict(self.ratio_bins)
        for position, calls in other.ratio_bins.items():
            bins[position] = bins.get(position, 0) + calls
        return Stats(
            self.calls + other.calls,
            self.estimated_tokens + other.estimated_tokens,
            self.real_tokens + other.real_tokens,
            self.clipped_calls + other.clipped_calls,
            dict(sorted(bins.items())),
        )

    @property
    def ratio(self) -> float:
        """Real over estimated tokens, shrunk towards 1; exactly 1 before the first call."""
        if not self.calls:
            return 1.0
        return (self.calls * self.real_tokens / self.estimated_tokens + PRIOR_CALLS) / (self.calls + PRIOR_CALLS)

    def quantile(self, share: float) -> float:
        """
        The ratio that about *share* of further calls stay below, from the calls seen.

        The outer edge of the bin at rank ``share * (calls + 1)``, outward rounded; with too few calls for such a rank,
        the most extreme one seen. Needs at least one call.
        """
        upper = share >= 0.5
        rank = math.ceil(share * (self.calls + 1)) if upper else math.floor(share * (self.calls + 1))
        rank = max(1, min(self.calls, rank))
        seen = 0
        for position in sorted(self.ratio_bins):
            seen += self.ratio_bins[position]
            if seen >= rank:
                return float(2 ** ((position + (0.5 if upper else -0.5)) / _BINS_PER_OCTAVE))
        raise AssertionError("the bins hold as many calls as were counted")


class Key(NamedTuple):
    """What a correction is learned for."""

    model: str
    content: ContentKind


class _Row(msgspec.Struct, frozen=True):
    model: str
    content: ContentKind
    stats: Stats


class _State(msgspec.Struct, frozen=True):
    version: int
    rows: tuple[_Row, ...]


class Learner:
    """
    Corrections for all models of the price book: at most one bounded record per model and content kind.

    Not for use by several threads at once: give each its own and merge.
    """

    def __init__(self) -> None:
        self._stats: dict[Key, Stats] = {}

    def learn(self, estimate: RequestEstimate, prompt_tokens: int) -> bool:
        """
        Learn from a call that was estimated as *estimate*, uncorrected, and metered at *prompt_tokens*.

        Whether it was learned from: a call whose text is less than half of the estimate says little about text, and an
        estimate that was already corrected would teach the correction to itself.
        """
        text, whole = estimate.text.tokens, estimate.total.tokens
        if estimate.calls_learned_from or prompt_tokens < 1 or not text or text < _TEXT_SHARE_MIN * whole:
            return False
        self.observe(estimate.model, estimate.content, text, max(0, prompt_tokens - (whole - text)))
        return True

    def observe(self, model: str, content: ContentKind, estimated: int, real: int) -> None:
        """
        Learn one pair of text token counts.

        Raises:
            BadInput: *model* is not the canonical id of a known model, *estimated* < 1 or *real* < 0.

        """
        _known(model)
        if estimated < 1 or real < 0:
            raise BadInput(f"read token counts {estimated} and {real}", "at least 1 estimated and 0 real")
        key = Key(model, content)
        self._stats[key] = self._stats.get(key, Stats()).with_call(estimated, real)

    def stats(self, model: str, content: ContentKind) -> Stats:
        """What was learned; empty where nothing was."""
        return self._stats.get(Key(model, content), Stats())

    def correct(self, estimate: RequestEstimate) -> RequestEstimate:
        """
        The estimate with its text sections corrected, saying how many calls that rests on; unchanged before the first.

        Stays ``assumed``: a learned ratio is a belief about the next call.
        """
        stats = self.stats(estimate.model, estimate.content)
        if not stats.calls or estimate.calls_learned_from:
            return estimate
        sections = {
            name: corrected(part, stats) if name in TEXT_SECTIONS else part for name, part in estimate.sections.items()
        }
        return msgspec.structs.replace(estimate, sections=sections, calls_learned_from=stats.calls)

    def merge(self, other: Learner) -> None:
        """Take in all that *other* has learned; *other* stays as it is."""
        for key, stats in other._stats.items():
            self._stats[key] = self._stats.get(key, Stats()).merged(stats)

    def encode(self) -> bytes:
        """The state as JSON, the same bytes for the same state whatever the order it was learned in."""
        rows = tuple(_Row(key.model, key.content, stats) for key, stats in sorted(self._stats.items()))
        return msgspec.json.encode(_State(_STATE_VERSION, rows))

    @classmethod
    def decode(cls, state: bytes) -> Learner:
        """
        Read what :meth:`encode` wrote.

        Raises:
            BadInput: It is something else, of another version, or its counts do not agree with each other.

        """
        try:
            read = msgspec.json.decode(state, type=_State)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise BadInput(f"read learned token corrections: {error}", "what farthing wrote") from None
        if read.version != _STATE_VERSION or not all(_sound(row.stats) for row in read.rows):
            raise BadInput("read learned token corrections that do not add up", f"version {_STATE_VERSION}", "relearn")
        learner = cls()
        for row in read.rows:
            learner._stats[Key(row.model, row.content)] = row.stats
        return learner


def corrected(estimate: Estimate, stats: Stats) -> Estimate:
    """
    One text estimate under a correction: the figure by the mean ratio, the ends by the spread of the calls' ratios.

    The ends are shrunk towards the estimate's own as the ratio is towards 1, so the interval narrows as calls come in.
    """
    if not stats.calls:
        return estimate
    weight = stats.calls / (stats.calls + PRIOR_CALLS)
    middle = estimate.tokens * stats.ratio
    low = weight * estimate.tokens * stats.quantile((1 - _COVERAGE) / 2) + (1 - weight) * estimate.low
    high = weight * estimate.tokens * stats.quantile((1 + _COVERAGE) / 2) + (1 - weight) * estimate.high
    return within(low, middle, high, f"{estimate.basis}; x {stats.ratio:.3f} learned from {stats.calls} calls")


def _sound(stats: Stats) -> bool:
    counts = (stats.calls, stats.estimated_tokens, stats.real_tokens, stats.clipped_calls, *stats.ratio_bins.values())
    return (
        min(counts) >= 0
        and sum(stats.ratio_bins.values()) == stats.calls
        and stats.estimated_tokens >= stats.calls
        and all(-_BIN_MAX <= position <= _BIN_MAX for position in stats.ratio_bins)
    )


def _known(model: str) -> None:
    traits = traits_of(model)
    if isinstance(traits, Unknowable) or traits.model != model:
        raise BadInput(f"read model {model!r} to learn for", "the canonical id of a model in the price book")
