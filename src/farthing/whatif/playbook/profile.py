"""What the calls are like as a whole: why a guide's step has something to do, or nothing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farthing.call import Call
    from farthing.prices.bill import Bill

_OUTPUT = 4


class Profile:
    """
    Sums over priced calls, at what they cost.

    Attributes:
        calls, pusd: All of them. batched_pusd: through batches.
        with_prompts: Calls whose prompt was recorded block by block.
        prompt_tokens, read_tokens: Of them, from the cache.
        output_pusd, thinking_pusd: At list; thinking is inside output.
        by_model: Dollars per model.
        tagged: Calls that say which feature, prompt or project they belong to.

    """

    def __init__(self) -> None:
        self.calls = 0
        self.pusd = 0
        self.batched_pusd = 0
        self.with_prompts = 0
        self.prompt_tokens = 0
        self.read_tokens = 0
        self.output_pusd = 0
        self.thinking_pusd = 0
        self.by_model: defaultdict[str, int] = defaultdict(int)
        self.tagged = 0

    def add(self, call: Call, bill: Bill, pusd: int) -> None:
        """Add one call."""
        usage = call.served.usage
        self.calls += 1
        self.pusd += pusd
        self.batched_pusd += pusd if call.served.service_tier == "batch" else 0
        self.with_prompts += call.request is not None and bool(call.request.blocks)
        self.prompt_tokens += usage.prompt_tokens
        self.read_tokens += usage.cache_read_tokens
        self.by_model[call.served.model] += pusd
        self.tagged += any(call.dims.get(name) for name in ("feature", "prompt", "project"))
        for component in bill.components[:1]:
            rate = component.band.rates[_OUTPUT] or 0
            self.output_pusd += rate * usage.output_tokens
            self.thinking_pusd += rate * usage.thinking_tokens
