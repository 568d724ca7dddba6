"""The same prompt again, within minutes, from the same session or user: a retry, or somebody who gave up waiting."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from farthing.call import Call
    from farthing.whatif.levers.measures import Measures

REPEATED_WITHIN_US = 600_000_000


class _First(NamedTuple):
    at_us: int
    call_id: str
    pusd: int


class Repeats:
    """Prompts of the last minutes, by who sent them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, bytes], _First] = OrderedDict()

    def add(self, call: Call, measures: Measures, pusd: int, at_us: int) -> None:
        """Take one priced call, in order of time; where its prompt was just sent, the earlier call was for nothing."""
        blocks = call.request.blocks if call.request is not None else ()
        sender = call.dims.get("session") or call.dims.get("user")
        if not sender or not blocks or (call.request is not None and call.request.max_tokens == 0):
            return
        seen = self._seen
        while seen and at_us - next(iter(seen.values())).at_us > REPEATED_WITHIN_US:
            seen.popitem(last=False)
        key = (sender, blocks[-1].prefix_hash)
        first = seen.pop(key, None)
        if first is not None:
            measures.repeated += 1
            measures.repeated_pusd += first.pusd
            measures.evidence["repeated"].add(first.pusd, first.call_id)
        seen[key] = _First(at_us, call.call_id, pusd)
