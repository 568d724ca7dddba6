"""An accepted request that is played out: its headers, its events or message, and how it is booked."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.call import Call, Served, call_identity
from farthing.sandbox import passes
from farthing.sandbox.bills import bill_of
from farthing.sandbox.books import Entry
from farthing.sandbox.credit import is_eligible
from farthing.sandbox.diagnostics import Fingerprint
from farthing.sandbox.problems import ApiError
from farthing.sandbox.stream import Event, Progress, play
from farthing.sandbox.turn import loop_writes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from farthing.sandbox.accounts import Caller
    from farthing.sandbox.credit import Claim
    from farthing.sandbox.faults import Fault
    from farthing.sandbox.limits import Charge
    from farthing.sandbox.passes import Pass
    from farthing.sandbox.replies import Reply
    from farthing.sandbox.turn import Attempt, Turn
    from farthing.sandbox.validate import Terms
    from farthing.sandbox.world import World

Headers = list[tuple[str, str]]


class Taken(NamedTuple):
    """What was decided when a request was accepted."""

    caller: Caller
    terms: Terms
    service_tier: str
    charge: Charge | None
    fault: Fault
    request_id: str
    at: datetime
    dims: Mapping[str, str]
    claim: Claim | None = None


class Begun:
    """
    An accepted request, to be played out: ``first_byte()``, then ``events()`` or ``message()``, then ``settle()``.

    Attributes:
        is_stream: Whether the request asked for a stream.
        request_id: As in the header.
        message_id: As in the response.
        first_byte_delay_s: How long to wait before the response starts (status line and headers).
        cut_after_bytes: Scripted: break the connection after this many bytes of body; None: never.
        broken_off: Whether a scripted fault ended :meth:`events` before its end, without an error event: then the
            connection is to be broken, not closed.

    """

    def __init__(self, world: World, taken: Taken, attempts: Sequence[Attempt], turn: Turn, reply: Reply) -> None:
        self._world = world
        self._taken = taken
        self._attempts = attempts
        self._turn = turn
        self._reply = reply
        served = attempts[-1].terms
        self._served_as = passes.ServedAs(taken.service_tier, served.inference_geo, served.speed)
        self._first_byte_at: datetime | None = None
        self._entry: Entry | None = None
        self.is_stream = bool(taken.terms.body.get("stream"))
        self.request_id = taken.request_id
        self.message_id = world.new_id("msg_")
        fingerprint = Fingerprint(taken.caller, taken.terms.speed, attempts[0].prompt)
        self._credit = self._granted()
        self._diagnostics = world.diagnostics.answer(taken.terms.body, self.message_id, fingerprint)
        self.cut_after_bytes = taken.fault.cut_after_bytes
        self.broken_off = False
        self.first_byte_delay_s = taken.fault.first_byte_s + reply.ttft_s
        if not self.is_stream and reply.event_s:
            self.first_byte_delay_s += sum(event.delay_s for event, _ in self._play())

    def headers(self) -> Headers:
        """Response headers but for content type and length: request id, organisation, workspace, rate limits."""
        caller, charge = self._taken.caller, self._taken.charge
        headers = [
            ("request-id", self.request_id),
            ("anthropic-organization-id", caller.organization_id),
            ("anthropic-workspace-id", caller.workspace_id),
        ]
        with self._world.lock:
            return headers + (self._world.limits.headers(charge, self._world.clock.now()) if charge else [])

    def first_byte(self) -> None:
        """The response starts: what it wrote to the cache can be read from now on. Once; later calls do nothing."""
        with self._world.lock:
            if self._first_byte_at is None:
                self._first_byte_at = self._world.clock.now()
                for attempt in self._attempts:
                    self._world.cache.became_readable(attempt.lookup, self._first_byte_at)

    def events(self) -> Iterator[Event]:
        """
        The stream, in the documented order.

        A scripted cut ends it early, see :attr:`broken_off`; a scripted error ends it with an ``error`` event.
        """
        for event, _ in self._faulty():
            yield event
        fault = self._taken.fault
        self.broken_off = fault.cut_after_events is not None and self._is_cut(fault.cut_after_events)

    def message(self) -> dict[str, Any]:
        """The response to a request that is not streamed."""
        turn = self._turn
        return {
            **self._shell(turn.model),
            "content": [segment.block for segment in turn.segments],
            **self._ending(),
            "diagnostics": self._diagnostics,
            **self._edited(),
            "usage": passes.usage_json(turn.passes, self._served_as, iterations=turn.shows_iterations)
            | self._claimed(),
        }

    def settle(self, events_sent: int | None = None) -> Entry:
        """
        Book the request, once: further calls change nothing and return the same entry.

        Args:
            events_sent: How many events the client got before it left; None: all that there are.

        """
        with self._world.lock:
            if self._entry is None:
                self._entry = self._settled(events_sent)
                self._world.books.add(self._entry)
            return self._entry

    # -- playing ----------------------------------------------------------------------------------------------------

    def _play(self) -> Iterator[tuple[Event, Progress]]:
        turn, reply = self._turn, self._reply
        usage = passes.delta_json(turn.passes, iterations=turn.shows_iterations) | self._claimed()
        yield from play(
            self._start(),
            turn.segments,
            {"delta": self._ending(), "usage": usage, **self._edited()},
            chunk_chars=reply.chunk_chars,
            event_s=reply.event_s,
        )

    def _faulty(self) -> Iterator[tuple[Event, Progress]]:
        """What is really sent, faults and all."""
        fault = self._taken.fault
        ends = [one for one in (fault.cut_after_events, fault.error_after_events) if one is not None]
        done = Progress()
        for event, done in itertools.islice(self._play(), min(ends) if ends else None):
            yield event._replace(delay_s=event.delay_s + fault.event_s), done
        at = fault.error_after_events
        if at is not None and at == min(ends) and self._is_cut(at):
            yield Event(fault.event_s, "error", {"type": "error", "error": fault.error}), done

    def _is_cut(self, events: int) -> bool:
        return next(itertools.islice(self._play(), events, None), None) is not None

    def _start(self) -> dict[str, Any]:
        """The message of ``message_start``: it names the model that was asked for."""
        first = next((one for one in self._turn.passes if one.kind in (passes.MESSAGE, passes.FALLBACK)), None)
        usage = passes.start_json(first.usage if first else passes.NOTHING, self._served_as)
        ending = {"stop_reason": None, "stop_sequence": None, "stop_details": None, "container": None}
        shell = self._shell(self._taken.terms.model.id)
        return {**shell, "content": [], **ending, "diagnostics": self._diagnostics, "usage": usage}

    def _shell(self, model: str) -> dict[str, Any]:
        return {"id": self.message_id, "type": "message", "role": "assistant", "model": model}

    def _ending(self) -> dict[str, Any]:
        turn, details = self._turn, None
        if turn.stop_reason == "refusal" and turn.refusal is not None:
            refusal = turn.refusal
            details = {"type": "refusal", "category": refusal.category, "explanation": refusal.explanation}
            details |= self._credit
        return {
            "stop_reason": turn.stop_reason,
            "stop_sequence": turn.stop_sequence,
            "stop_details": details,
            "container": None,
        }

    def _edited(self) -> dict[str, Any]:
        """What a response says of its context edits: nothing where none were asked for."""
        edits = self._attempts[-1].edits
        return {} if edits is None else {"context_management": {"applied_edits": edits}}

    def _claimed(self) -> dict[str, Any]:
        """What ``usage`` says of a fallback credit."""
        claim = self._taken.claim
        return {} if claim is None else {"fallback_credit": claim.status}

    def _granted(self) -> dict[str, Any]:
        """What ``stop_details`` says of a fallback credit, which is remembered: nothing without the beta."""
        taken, turn = self._taken, self._turn
        if turn.stop_reason != "refusal" or taken.service_tier == "batch" or not is_eligible(taken.terms):
            return {}
        token, said = self._world.new_id("fbc_"), [segment.block for segment in turn.segments]
        refused = (self._attempts[-1].lookup, said)
        has_claim = self._world.credits.grant(token, taken.terms, taken.caller, taken.at, refused)
        return {"fallback_credit_token": token, "fallback_has_prefill_claim": has_claim, "recommended_model": None}

    # -- booking ----------------------------------------------------------------------------------------------------

    def _settled(self, events_sent: int | None) -> Entry:
        now, turn = self._world.clock.now(), self._turn
        done = self._reached(events_sent)
        if done is None:
            ran: list[Pass] = turn.passes
            self._write_loop(now)
            has_output = any(segment.block["type"] != "fallback" for segment in turn.segments)
        else:
            ran = passes.cut(turn.passes, done.pass_index, done.output_tokens, done.thinking_tokens)
            has_output = done.has_output
        served = self._served(ran, whole=done is None, has_output=has_output)
        said = [segment.block for segment in turn.segments] if done is None else None
        self._world.threads.ended(self._taken.terms.body, self._taken.caller, self._taken.at, self.message_id, said)
        self._charge(ran, now)
        bill = bill_of(self._world.book, served, ran, self._taken.at)
        return Entry(self._call(served, now), bill, now, aborted=done is not None)

    def _reached(self, events_sent: int | None) -> Progress | None:
        """How far it got; None: to the end."""
        if not self.is_stream and events_sent is None:
            return None
        steps = self._faulty() if self.is_stream else self._play()
        tail = deque(itertools.islice(steps, events_sent), maxlen=1)
        if not tail:
            return Progress()
        event, done = tail[0]
        return None if event.name == "message_stop" else done

    def _served(self, ran: Sequence[Pass], *, whole: bool, has_output: bool) -> Served:
        turn = self._turn
        prompts = [one.usage.prompt_tokens for one in passes.covered(ran)]
        listed = turn.shows_iterations and whole
        serving = passes.covered(ran)[-1].model if passes.covered(ran) else turn.model
        refusal = turn.refusal if whole and turn.stop_reason == "refusal" else None
        return Served(
            model=serving,
            usage=passes.total(ran),
            extra_passes=passes.extra_passes(ran),
            service_tier=self._served_as.service_tier,
            speed=self._served_as.speed,
            inference_geo=self._served_as.inference_geo,
            stop_reason=turn.stop_reason if whole else None,
            refusal_category=refusal.category if refusal else None,
            output_started=has_output,
            prompt_tokens_max_in_one_pass=max(prompts, default=None) if listed else None,
            message_id=self.message_id,
            request_id=self.request_id,
        )

    def _call(self, served: Served, now: datetime) -> Call:
        caller, at = self._taken.caller, self._taken.at
        started = self._first_byte_at
        return Call(
            call_id=call_identity(self.message_id, self.request_id) or self.message_id,
            sent_at=at,
            source="sandbox",
            served=served,
            dims={
                "organization": caller.organization_id,
                "workspace": caller.workspace_id,
                "api_key": caller.key_id,
                **self._taken.dims,
            },
            duration_ms=_ms(at, now),
            ttft_ms=None if started is None else _ms(at, started),
        )

    def _charge(self, ran: Sequence[Pass], now: datetime) -> None:
        """Output counts against the limits of the model asked for, and so does the input of passes after the first."""
        charge = self._taken.charge
        if charge is None:
            return
        output = sum(one.usage.output_tokens for one in ran)
        later = sum(one.usage.prompt_tokens - one.usage.cache_read_tokens for one in ran[1:])
        self._world.limits.produced(charge, now, output, later)

    def _write_loop(self, now: datetime) -> None:
        """The automatic breakpoints on results of server tools can be read by whoever sends the content back."""
        attempt, turn = self._attempts[-1], self._turn
        if not turn.writes_after:
            return
        with contextlib.suppress(ApiError):  # a file may have been deleted meanwhile: nobody can send it back
            counter = self._world.counter(self._taken.caller, attempt.model, self._taken.at)
            writes = loop_writes(attempt, turn, counter)
            self._world.cache.became_readable(attempt.lookup._replace(writes=writes), now)


def _ms(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))
