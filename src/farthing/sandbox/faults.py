"""
Faults on order: refused bursts, broken, slow and failing streams.

Each :class:`Fault` says what goes wrong and when: for a number of requests, by chance with a seed, by predicate.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from farthing.errors import BadInput
from farthing.sandbox.problems import STATUS, ApiError
from farthing.sandbox.replies import Ask, Count, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One kind of trouble.

    Attributes:
        refuse: ``error.type`` of a refusal before anything happens, such as ``overloaded_error``.
        error_code: ``details.error_code`` of that refusal, such as ``ramp_limit_exceeded``.
        retry_after_s: Its ``retry-after`` header.
        error_after_events: A stream sends this many events, then an ``error`` event of type *error_type*.
        cut_after_events: A stream breaks off after this many events, without another word.
        cut_after_bytes: The connection breaks after this many bytes of body: for whoever writes them.
        first_byte_s: Delay before the first byte. event_s: delay before each event.
        skip: Let this many matching requests pass first.
        count: Strike this many times; None: always.
        probability: Chance to strike a matching request.
        when: Which requests match; None: all of standard tier.

    """

    refuse: str | None = None
    error_code: str | None = None
    retry_after_s: Count | None = None
    error_type: str = "overloaded_error"
    error_after_events: Count | None = None
    cut_after_events: Count | None = None
    cut_after_bytes: Count | None = None
    first_byte_s: Seconds = 0.0
    event_s: Seconds = 0.0
    skip: Count = 0
    count: Count | None = 1
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    when: Callable[[Ask], bool] | None = None

    @property
    def problem(self) -> ApiError | None:
        """The refusal, None where the fault is another."""
        if self.refuse is None:
            return None
        return ApiError(
            self.refuse, _message(self.refuse), error_code=self.error_code, retry_after_s=self.retry_after_s
        )

    @property
    def error(self) -> dict[str, str]:
        """What the ``error`` event of a stream says."""
        return {"type": self.error_type, "message": _message(self.error_type)}


def checked(fault: Any) -> Fault:
    """
    A fault whose every field is what it should be.

    Raises:
        BadInput: It is none: better now, where it was written, than in the answer to a request.

    """
    if not isinstance(fault, Fault):
        raise BadInput(f"read a fault: a value of type {type(fault).__name__}", "a farthing.testing.Fault")
    try:
        fields = msgspec.structs.asdict(fault)
        msgspec.convert({name: value for name, value in fields.items() if name != "when"}, Fault)
    except (msgspec.ValidationError, TypeError) as error:
        raise BadInput(f"read a fault: {error}", "the fields of farthing.testing.Fault") from None
    for name, kind in (("refuse", fault.refuse), ("error_type", fault.error_type)):
        if kind is not None and kind not in STATUS:
            raise BadInput(f"read {name} {kind!r}", f"one of {', '.join(STATUS)}")
    return fault


def _message(kind: str) -> str:
    return _MESSAGES.get(kind, "Scripted fault of the sandbox")


_MESSAGES = {
    "overloaded_error": "Overloaded",
    "api_error": "Internal server error",
    "timeout_error": "Request timed out",
    "rate_limit_error": "This request would exceed your organization's rate limit",
}

NO_FAULT = Fault(count=0)


class Faults:
    """
    The faults of one world. The first one that strikes is the only one.

    Args:
        seed: Decides what chance decides.

    """

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - chance that must repeat, not secrets
        self._armed: list[_Armed] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """
        Arm more faults, after those already armed.

        Raises:
            BadInput: One is none; then none is armed.

        """
        armed = [_Armed(checked(fault)) for fault in faults]
        with self._lock:
            self._armed += armed

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()

    def strike(self, ask: Ask) -> Fault:
        """The fault that this request meets; :data:`NO_FAULT` for none."""
        with self._lock:
            for armed in self._armed:
                if armed.strikes(ask, self._random):
                    return armed.fault
        return NO_FAULT


class _Armed:
    """A fault and how often it matched and struck."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.matched = 0
        self.struck = 0

    def strikes(self, ask: Ask, chance: random.Random) -> bool:
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        if not (ask.service_tier == "standard" if fault.when is None else fault.when(ask)):
            return False
        self.matched += 1
        if self.matched <= fault.skip or (fault.probability < 1 and chance.random() >= fault.probability):
            return False
        self.struck += 1
        return True
