"""What is known of one route after all its calls: counts, sums and a few ids, whatever the number of calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from farthing.whatif.levers.sketch import Dearest, Quantiles
from farthing.whatif.replay.totals import Sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.call import Call, Served, Usage
    from farthing.prices.bill import Bill
    from farthing.whatif.levers.place import Place
    from farthing.whatif.levers.route import Route

_DISTINCT_MAX = 64
_MINUTE_US = 60_000_000
_HOUR_US = 3_600_000_000


class Turns:
    """Calls that are the same turn of their conversations."""

    __slots__ = ("calls", "history_tokens", "prompt_tokens")

    def __init__(self) -> None:
        self.calls = 0
        self.prompt_tokens = 0
        self.history_tokens = 0


class Measures:
    """
    One route.

    Attributes:
        route: Which. channel: on which channel its first call was served.
        calls: How many, unpriced ones included. sums: those with a price, at list.
        first_us, last_us: When the first and the last one was sent, in microseconds since 1970.
        streamed, batched: Calls. batched_pusd: what the batched ones cost.
        answered_into: Calls whose answer the next call of the same conversation carried on within the hour, or may
            have: its prompt is not known, or it is another route's.
        whole_minutes: Calls sent at a whole minute to the microsecond, as rounded times are.
        minutes: Calls per minute of the hour. hours: per hour of the day, UTC. busy_hours: in how many hours there was
            any.
        gaps: Count, mean and sum of squared differences of the pauses between calls of more than a minute, in seconds.
        tool_calls: Answers that called a tool, server tools included. with_tools: calls that defined any;
            tools_tokens, tools_pusd: what the definitions took.
        outputs: Output tokens per call. asked: ``max_tokens`` per call that has it. prompts: prompt tokens per call.
        efforts: Calls per effort, as asked; the empty string: none.
        truncated, truncated_pusd: Answers cut at ``max_tokens``, and what those calls cost.
        thinking_tokens, thinking_pusd: Inside the output.
        us, us_pusd: Calls with US-only inference. fast, fast_pusd: in fast mode. watched: streamed ones of each.
        left, left_pusd: Calls whose client left before the end.
        repeated, repeated_pusd: Calls whose very prompt came again from the same session or user within minutes.
        unread_writes, unread_tokens, unread_pusd: Cache writes that no later call read, and what they cost more than
            plain input. writes: calls that wrote.
        pairs: Calls that have an earlier one to compare with. breaks: per place, of how many of them the prompt
            differs from there on; breaks_tokens: what came after it.
        turns: Per turn of a conversation. trimmed_tokens, trimmed_pusd: history beyond a number of turns, and what it
            cost as it was paid.
        evidence: Ids of the dearest calls, per subject.

    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.channel = ""
        self.calls = 0
        self.sums = Sums()
        self.first_us = 0
        self.last_us = 0
        self.streamed = 0
        self.batched = 0
        self.batched_pusd = 0
        self.answered_into = 0
        self.whole_minutes = 0
        self.minutes = [0] * 60
        self.hours = [0] * 24
        self.busy_hours = 0
        self.gaps = (0, 0.0, 0.0)
        self.tool_calls = 0
        self.with_tools = 0
        self.tools_tokens = 0
        self.tools_pusd = 0
        self.outputs = Quantiles()
        self.asked = Quantiles()
        self.prompts = Quantiles()
        self.efforts: Counter[str] = Counter()
        self.truncated = 0
        self.truncated_pusd = 0
        self.thinking_tokens = 0
        self.thinking_pusd = 0
        self.us = 0
        self.us_pusd = 0
        self.fast = 0
        self.fast_pusd = 0
        self.watched: Counter[str] = Counter()
        self.left = 0
        self.left_pusd = 0
        self.repeated = 0
        self.repeated_pusd = 0
        self.writes = 0
        self.unread_writes = 0
        self.unread_tokens = 0
        self.unread_pusd = 0
        self.pairs = 0
        self.breaks: Counter[Place] = Counter()
        self.breaks_tokens: Counter[Place] = Counter()
        self.turns: dict[int, Turns] = {}
        self.trimmed_tokens = 0
        self.trimmed_pusd = 0
        self.evidence: defaultdict[str, Dearest] = defaultdict(Dearest)

    @property
    def pusd(self) -> int:
        """What all its priced calls cost, at list."""
        return self.sums.pusd

    def add(self, call: Call, at_us: int) -> None:
        """Count one call, priced or not."""
        served, request = call.served, call.request
        if not self.calls:
            self.first_us, self.channel = at_us, served.channel
        else:
            self._gap(at_us)
        if not self.calls or at_us // _HOUR_US != self.last_us // _HOUR_US:
            self.busy_hours += 1
        self.calls += 1
        self.last_us = at_us
        self.whole_minutes += not at_us % _MINUTE_US
        self.minutes[at_us // _MINUTE_US % 60] += 1
        self.hours[at_us // _HOUR_US % 24] += 1
        self.outputs.add(served.usage.output_tokens)
        self.prompts.add(served.usage.prompt_tokens)
        self.tool_calls += _called_a_tool(served)
        if request is None:
            return
        self.streamed += request.stream
        self.with_tools += request.tools > 0
        self.tools_tokens += request.tools_tokens
        if request.max_tokens is not None:
            self.asked.add(request.max_tokens)
        effort = request.effort or ""
        if effort in self.efforts or len(self.efforts) < _DISTINCT_MAX:
            self.efforts[effort] += 1

    def add_price(self, call: Call, bill: Bill, rates: Sequence[int | None]) -> None:
        """Add what a priced call cost; *rates* are those of its main pass, in picodollars per token."""
        pusd = bill.list_pusd
        assert pusd is not None, "priced"
        served, request = call.served, call.request
        usage = served.usage
        self.sums.add(bill, pusd, bill.kind)
        self.evidence["dearest"].add(pusd, call.call_id)
        streamed = request is not None and request.stream
        if served.service_tier == "batch":
            self.batched += 1
            self.batched_pusd += pusd
        if served.stop_reason == "max_tokens" and usage.output_tokens:
            self.truncated += 1
            self.truncated_pusd += pusd
            self.evidence["truncated"].add(pusd, call.call_id)
        if usage.thinking_tokens:
            self.thinking_tokens += usage.thinking_tokens
            self.thinking_pusd += usage.thinking_tokens * (rates[4] or 0)
            self.evidence["thinking"].add(usage.thinking_tokens, call.call_id)
        if served.inference_geo == "us":
            self.us += 1
            self.us_pusd += pusd
            self.watched["us"] += streamed
            self.evidence["us"].add(pusd, call.call_id)
        if served.speed == "fast":
            self.fast += 1
            self.fast_pusd += pusd
            self.watched["fast"] += streamed
            self.evidence["fast"].add(pusd, call.call_id)
        if request is not None and request.tools_tokens:
            self.tools_pusd += paid_between(usage, rates, 0, request.tools_tokens)
        if "client_left" in call.dims:
            self.left += 1
            self.left_pusd += pusd
            self.evidence["left"].add(pusd, call.call_id)

    def _gap(self, at_us: int) -> None:
        gap_s = (at_us - self.last_us) / 1e6
        if gap_s > 60:
            count, mean, squares = self.gaps
            count += 1
            off = gap_s - mean
            mean += off / count
            self.gaps = (count, mean, squares + off * (gap_s - mean))


def _called_a_tool(served: Served) -> bool:
    usage = served.usage
    on_server = usage.web_search_requests or usage.web_fetch_requests or usage.code_execution_requests
    return bool(on_server) or served.stop_reason in {"tool_use", "pause_turn"}


def paid_between(usage: Usage, rates: Sequence[int | None], start: int, end: int) -> int:
    """
    What the tokens of a prompt from *start* to *end* cost, in picodollars.

    A prompt is paid for in this order from its beginning: read, written for an hour, written for 5 minutes, plain.
    """
    at, pusd = 0, 0
    for count, rate in (
        (usage.cache_read_tokens, rates[3]),
        (usage.cache_write_1h_tokens, rates[2]),
        (usage.cache_write_5m_tokens, rates[1]),
        (usage.input_tokens, rates[0]),
    ):
        inside = min(end, at + count) - max(start, at)
        if inside > 0:
            pusd += inside * (rate or 0)
        at += count
    return pusd
