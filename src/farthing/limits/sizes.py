"""
How large a call will be for a rate limit: guessed before it is sent, learnt from what calls came to.

Most of a prompt may be read from the cache, which counts for nothing, and ``max_tokens`` says little about an answer's
length. So both guesses follow the calls that went before.
"""

from __future__ import annotations

from typing import NamedTuple

_FOLLOW = 0.1
"""How much the newest call counts in what is learnt."""
_FIRST_OUTPUT_TOKENS = 256.0
"""Assumed of an answer before any was seen."""


class Size(NamedTuple):
    """What is known of a call before it is sent: tokens of its whole prompt (an estimate), and what it may answer."""

    prompt_tokens: int
    max_tokens: int | None = None


class Used(NamedTuple):
    """What a call came to, as limits count: fresh input (and cache reads where a class counts them), and output."""

    input_tokens: int
    output_tokens: int


class Learned:
    """The share of prompts that counts as input, and the length of answers; both start on the careful side."""

    __slots__ = ("_fresh_share", "_guess", "_guessed", "_output_tokens")

    def __init__(self) -> None:
        self._fresh_share = 1.0
        self._output_tokens = _FIRST_OUTPUT_TOKENS
        self._guessed: Size | None = None
        self._guess = (1, 0, 0)

    def guess(self, size: Size) -> tuple[int, int, int]:
        """What a call will take: a request, input, output. The latest is kept, as it is asked for more than once."""
        if size is not self._guessed:
            output = int(self._output_tokens)
            if size.max_tokens is not None and size.max_tokens < output:
                output = size.max_tokens
            self._guess = (1, int(size.prompt_tokens * self._fresh_share), max(1, output))
            self._guessed = size
        return self._guess

    def learn(self, size: Size, used: Used) -> None:
        """Follow what a call came to."""
        self._guessed = None
        if size.prompt_tokens > 0:
            share = min(2.0, used.input_tokens / size.prompt_tokens)  # an estimate may also be too low
            self._fresh_share += _FOLLOW * (share - self._fresh_share)
        self._output_tokens += _FOLLOW * (used.output_tokens - self._output_tokens)
