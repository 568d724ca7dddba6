"""
One streamed response, event by event: what it says was served, however it ends.

``message_start`` carries what later events never repeat (the split of cache writes, tier, speed, geography); the last
``message_delta`` carries running totals of the whole response; the last one wins, and a field that it leaves out keeps
its earlier value. A stream that stops before its final counts is recovered: the output is at least the characters
relayed divided by four. Nothing of the content is kept, only how many characters there were.

Source: facts 3.2, 3.3 and 4 (streaming reference, SDK 2.11.0), checked 2026-11-20. The 4 characters per token of 4.5
are the floor that Anthropic's own apps gateway uses; what the API bills for a broken stream is UNCONFIRMED.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from farthing.errors import BadInput
from farthing.units import Kind, weakest
from farthing.usage.fields import CacheCreation, UsageFields, split_pass, usage_fields
from farthing.usage.interface import (
    NOTHING_KNOWN,
    Known,
    Quarantined,
    Unreadable,
    decode_object,
    model_of,
    text_or_none,
)
from farthing.usage.iterations import served_by, stated_split
from farthing.usage.messages import block_has_output, handed_over_for, refusal_category, served_from

if TYPE_CHECKING:
    from farthing.call import Served

CHARACTERS_PER_TOKEN = 4
"""Facts 4.5, checked 2026-11-20."""


class _Delta(msgspec.Struct, gc=False):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""


class _Event(msgspec.Struct):
    """The parts of an event that are read for every event; the rest is decoded again where it matters."""

    type: str = ""
    delta: _Delta | None = None


_decode = msgspec.json.Decoder(_Event).decode
_ERROR_TYPE = re.compile(r"[a-z_]{1,64}")


class EventMeter:
    """
    Sans-I/O: give it the JSON of each event in order, then ask once what was served.

    Args:
        known: What the caller knows beside the stream. ``requested_model`` defaults to the model of ``message_start``,
            which names the requested one; ``model`` is only used where the stream names none, or on a channel whose
            own ids are priced.
        shape: The name that a quarantine gives.

    """

    def __init__(self, known: Known = NOTHING_KNOWN, *, shape: str = "messages stream") -> None:
        self._known = known
        self._shape = shape
        self._started = False
        self._model: str | None = None
        self._fallback_model: str | None = None
        self._message_id: str | None = None
        self._stop_reason: str | None = None
        self._refusal_category: str | None = None
        self._declined_for: list[str] = []
        self._fields = UsageFields()
        self._placeholder_tokens = 0
        self._characters = 0
        self._output_started = False
        self._final = False
        self._counted = False
        self._fault: str | None = None
        self._broken = "it stopped before its final counts"
        self._events_unreadable = 0

    def event(self, data: bytes) -> None:
        """Take the JSON of one event. Unknown events and events that are not JSON change no count."""
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._odd_event(data)
            return
        if event.type == "content_block_delta":
            self._content(event.delta)
        elif (handle := _HANDLERS.get(event.type)) is not None:
            self._handle(handle, data)

    def lost_event(self, event_type: str | None) -> None:
        """Take note of an event whose data was too long to hold. Lost content is not counted as output."""
        self._events_unreadable += 1
        if event_type in ("message_start", "message_delta"):
            self._broken = f"its {event_type} event was too long to hold"
            self._counted = self._final = False
        else:
            self._output_started = self._output_started or event_type == "content_block_delta"

    def finish(self) -> Served | Quarantined:
        """
        What was served, as far as the events told. Changes nothing: may be asked at any time, and again.

        Returns:
            :class:`Served`, ``assumed`` and with a note that begins with "recovered" where the stream was cut short;
            :class:`Unreadable` where it ended before ``message_start``; :class:`Quarantined` where it contradicts
            itself.

        """
        if self._fault is not None:
            return Quarantined(self._fault, self._shape)
        if not self._started:
            return Unreadable("read a stream without message_start; expected one before anything else", self._shape)
        try:
            return self._served()
        except BadInput as error:
            return Quarantined(str(error), self._shape)

    @property
    def started(self) -> bool:
        """Whether ``message_start`` came."""
        return self._started

    @property
    def output_started(self) -> bool:
        """Whether any content came."""
        return self._output_started

    @property
    def ended(self) -> bool:
        """Whether the final counts came."""
        return self._final

    # -- events ---------------------------------------------------------------------------------------------------

    def _handle(self, handle: Any, data: bytes) -> None:
        try:
            handle(self, decode_object(data, self._shape))
        except BadInput as error:
            self._fault = self._fault or str(error)

    def _odd_event(self, data: bytes) -> None:
        """An event whose ``delta`` is of another form, such as a ``message_delta``, or no JSON at all."""
        try:
            event = decode_object(data, self._shape)
        except BadInput:
            self._events_unreadable += 1
            return
        if event.get("type") == "content_block_delta":
            self._content(None)
        elif (handle := _HANDLERS.get(str(event.get("type")))) is not None:
            self._handle(handle, data)

    def _content(self, delta: _Delta | None) -> None:
        self._output_started = True
        self._final = False
        if delta is not None:
            self._characters += len(delta.text) + len(delta.thinking) + len(delta.partial_json)

    def _message_start(self, event: Mapping[str, Any]) -> None:
        if self._started:
            raise BadInput("read two message_start events in one stream", "one response per stream")
        message = event.get("message")
        if not isinstance(message, Mapping):
            raise BadInput("read a message_start event without its message", "the message with its first usage")
        self._started = True
        self._model, self._message_id = text_or_none(message.get("model")), text_or_none(message.get("id"))
        self._fields = usage_fields(message.get("usage") or {})
        self._placeholder_tokens = self._fields.output_tokens or 0
        if self._fields.cache_creation is not None:
            split_pass(self._fields, None)  # refuses a split that does not sum, before any delta moves the total

    def _block_start(self, event: Mapping[str, Any]) -> None:
        block = event.get("content_block")
        if not isinstance(block, Mapping):
            return
        if block.get("type") == "fallback" and isinstance(served := block.get("to"), Mapping):
            self._fallback_model = text_or_none(served.get("model"))
        if (category := handed_over_for(block)) is not None:
            self._declined_for.append(category)
        self._output_started = self._output_started or block_has_output(block)
        self._final = False
        self._characters += sum(len(text) for text in map(block.get, ("text", "thinking")) if isinstance(text, str))

    def _message_delta(self, event: Mapping[str, Any]) -> None:
        if isinstance(delta := event.get("delta"), Mapping) and delta.get("stop_reason") is not None:
            self._stop_reason = text_or_none(delta.get("stop_reason"))
            self._refusal_category = refusal_category(delta.get("stop_details"))
        if (usage := event.get("usage")) is None:
            return
        fields = usage_fields(usage)
        self._fields = merged(self._fields, fields)
        self._counted = self._counted or fields.output_tokens is not None
        self._final = fields.output_tokens is not None and self._stop_reason is not None

    def _message_stop(self, _event: Mapping[str, Any]) -> None:
        self._final = self._counted

    def _error(self, event: Mapping[str, Any]) -> None:
        error = event.get("error")
        kind = error.get("type") if isinstance(error, Mapping) else None
        named = f" ({kind})" if isinstance(kind, str) and _ERROR_TYPE.fullmatch(kind) else ""
        self._broken = f"it broke off with an error event{named}"

    # -- answer ---------------------------------------------------------------------------------------------------

    def _served(self) -> Served:
        fields, notes = self._settled_split()
        kind = Kind.DERIVED if notes else Kind.MEASURED
        if doubts := self._doubts():
            output = max(fields.output_tokens or 0, self._tokens_relayed, self._placeholder_tokens)
            fields = msgspec.structs.replace(fields, output_tokens=fields.output_tokens if self._final else output)
            kind = Kind.ASSUMED
        if self._events_unreadable:
            notes.append(f"{self._events_unreadable} events of the stream could not be read")
        requested = self._known.requested_model or self._model
        known = msgspec.structs.replace(self._known, requested_model=requested)
        served = served_from(fields, self._serving_model(), known, self._declined_for)
        return msgspec.structs.replace(
            served,
            stop_reason=self._stop_reason,
            refusal_category=self._refusal_category,
            output_started=self._output_started,
            message_id=self._message_id,
            request_id=self._known.request_id,
            kind=weakest(kind, served.kind),
            notes=(*doubts, *served.notes, *notes),
        )

    def _serving_model(self) -> str:
        return model_of(served_by(self._fields.iterations or ()) or self._fallback_model or self._model, self._known)

    @property
    def _tokens_relayed(self) -> int:
        return -(-self._characters // CHARACTERS_PER_TOKEN)

    def _doubts(self) -> list[str]:
        """Why the figures rest on a belief; empty where the stream told everything."""
        doubts = []
        if not self._final:
            doubts.append(
                f"recovered: {self._broken}; output is the largest of {self._fields.output_tokens or 0} counted and "
                f"{self._characters} relayed characters / {CHARACTERS_PER_TOKEN}"
            )
        if self._fallback_model and not served_by(self._fields.iterations or ()):
            doubts.append("a fallback model took over, and no iterations tell what each attempt used")
        return doubts

    def _settled_split(self) -> tuple[UsageFields, list[str]]:
        """
        Bring the split of ``message_start`` up to the final total of cache writes.

        Writes made after the start are auto-cached results of server tools, which live 5 minutes. Source: facts 3.2
        and 5.6, our inference from them, UNCONFIRMED, checked 2026-11-20.
        """
        fields, split, written = self._fields, self._fields.cache_creation, self._fields.cache_creation_input_tokens
        if split is None or written is None:
            return fields, []
        write_5m, write_1h = split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0
        later = written - write_5m - write_1h
        replace, entries = msgspec.structs.replace, fields.iterations or ()
        if self._fallback_model or served_by(entries):  # the start's split is that of the attempt which declined
            return replace(fields, cache_creation=None), []
        if later == 0:
            return fields, []
        if later < 0:
            raise BadInput(
                f"read cache_creation_input_tokens = {written} at the end of a stream that began with "
                f"{write_5m} (5m) + {write_1h} (1h)",
                "running totals that never fall",
            )
        if (exact := stated_split(entries, written)) is not None:
            return replace(fields, cache_creation=exact), []
        note = f"{later} cache-write tokens came after message_start without a split: counted as 5m"
        return replace(fields, cache_creation=CacheCreation(write_5m + later, write_1h)), [note]


def merged(earlier: UsageFields, later: UsageFields) -> UsageFields:
    """Running totals: a field that *later* leaves out, or gives as null, keeps its *earlier* value."""
    stated = {name: value for name in UsageFields.__struct_fields__ if (value := getattr(later, name)) is not None}
    return msgspec.structs.replace(earlier, **stated)


_HANDLERS = {
    "message_start": EventMeter._message_start,  # noqa: SLF001 - a table instead of branches
    "content_block_start": EventMeter._block_start,  # noqa: SLF001
    "message_delta": EventMeter._message_delta,  # noqa: SLF001
    "message_stop": EventMeter._message_stop,  # noqa: SLF001
    "error": EventMeter._error,  # noqa: SLF001
}
