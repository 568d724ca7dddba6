"""The token bucket of :mod:`farthing.limits.token_bucket`, told the time as the sandbox tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from farthing.limits.token_bucket import TokenBucket

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Bucket:
    """
    One limit per minute.

    Args:
        per_minute: Capacity, and what flows in over a minute; >= 1.
        at: When it starts, full.

    """

    def __init__(self, per_minute: int, at: datetime) -> None:
        self._tokens = TokenBucket(per_minute, _us(at))

    @property
    def per_minute(self) -> int:
        """The limit."""
        return self._tokens.per_minute

    def resize(self, per_minute: int, at: datetime) -> None:
        """Change the limit; what was used stays used."""
        self._tokens.resize(per_minute, _us(at))

    def wait_s(self, tokens: int, at: datetime) -> int:
        """
        Whole seconds until *tokens* fit: 0 where they fit now.

        More than the whole bucket never fits; the answer is then the time until the bucket is full, at least 1.
        """
        return -(-self._tokens.wait_us(tokens, _us(at)) // 1_000_000)

    def take(self, tokens: int, at: datetime) -> None:
        """Use *tokens*, into debt if need be: output counts as it is made, whatever is left."""
        self._tokens.take(tokens, _us(at))

    def remaining(self, at: datetime) -> int:
        """Whole tokens left, >= 0."""
        return self._tokens.remaining(_us(at))

    def full_at(self, at: datetime) -> datetime:
        """When it will be full again, rounded up to a second's part that RFC 3339 can show."""
        return at + timedelta(microseconds=self._tokens.full_in_us(_us(at)))


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
