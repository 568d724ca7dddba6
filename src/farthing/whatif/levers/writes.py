"""Cache writes that no later call read, with what they cost more than plain input would have."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.call import Call, PromptBlock
    from farthing.whatif.levers.measures import Measures

_LIVES_US = {"5m": 300_000_000, "1h": 3_600_000_000}
_TOLERANCE = 1.02
"""Where lengths of blocks are estimates, a prefix counts as read if its end is no further than this beyond the read."""


class _Write:
    __slots__ = ("call_id", "keys", "measures", "premium_pusd", "tokens", "until_us")

    def __init__(self, measures: Measures, call_id: str, tokens: int, premium_pusd: int, until_us: int) -> None:
        self.measures = measures
        self.call_id = call_id
        self.tokens = tokens
        self.premium_pusd = premium_pusd
        self.until_us = until_us
        self.keys: list[bytes] = []


class Writes:
    """The writes that may still be read: those of the last hour."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, _Write] = {}
        self._of: dict[str, deque[_Write]] = {"5m": deque(), "1h": deque()}

    def add(self, call: Call, measures: Measures, rates: Sequence[int | None], at_us: int) -> None:
        """Take one priced call, in order of time: what it read was of use, and what it wrote may be."""
        self._expire(at_us)
        request, usage = call.request, call.served.usage
        if request is None or not request.blocks:
            return
        is_exact = sum(block.tokens for block in request.blocks) == usage.prompt_tokens
        read = usage.cache_read_tokens * (1 if is_exact else _TOLERANCE)
        if read:
            self._read(request.blocks, read)
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        if not written:
            return
        plain = rates[0] or 0
        premium = usage.cache_write_5m_tokens * ((rates[1] or plain) - plain)
        premium += usage.cache_write_1h_tokens * ((rates[2] or plain) - plain)
        ttl = "1h" if usage.cache_write_1h_tokens else "5m"
        write = _Write(measures, call.call_id, written, premium, at_us + _LIVES_US[ttl])
        end = 0
        for block in request.blocks:
            end += block.tokens
            if end > read and block.cacheable:
                write.keys.append(block.prefix_hash)
        for key in write.keys:
            self._by_key[key] = write
        self._of[ttl].append(write)
        measures.writes += 1

    def _read(self, blocks: Sequence[PromptBlock], read: float) -> None:
        end = 0
        for block in blocks:
            end += block.tokens
            if end > read:
                break
            write = self._by_key.get(block.prefix_hash)
            if write is not None:
                self._forget(write)

    def _expire(self, now_us: int) -> None:
        for waiting in self._of.values():
            while waiting and waiting[0].until_us < now_us:
                write = waiting.popleft()
                if write.keys:
                    self._forget(write)
                    of = write.measures
                    of.unread_writes += 1
                    of.unread_tokens += write.tokens
                    of.unread_pusd += write.premium_pusd
                    of.evidence["unread"].add(write.premium_pusd, write.call_id)

    def _forget(self, write: _Write) -> None:
        for key in write.keys:
            if self._by_key.get(key) is write:
                del self._by_key[key]
        write.keys = []
