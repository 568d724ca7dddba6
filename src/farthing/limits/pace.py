"""
Slowing down before the upstream's wall, and after it: one pacer per upstream credential and class of models. Pure.

Three things delay a call. *Headroom*: answers tell what is left of each limit; a mirror of those buckets is kept, and
once little is left calls are spread so that it lasts until the bucket is full again. *A hold*: a refusal with
``retry-after`` stops everybody that shares the limit, since an earlier retry fails. *A ceiling*: every refusal halves
the rate at which calls were sent, and it grows back evenly while none comes (additive increase, multiplicative
decrease).

Nothing happens until an answer gives a reason. What refuses for good (a spend limit, a subscription's window) is not a
matter of speed and slows nobody down.

Source: facts: claude-api 8.1, 8.4 and 9, checked 2026-11-20. The thresholds are ours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from farthing.limits.sizes import Learned
from farthing.limits.turnstile import Hold, Why

if TYPE_CHECKING:
    from farthing.limits.headroom import Headroom, Room
    from farthing.limits.rates import UpstreamRule
    from farthing.limits.sizes import Size, Used

_HOLD_S_MAX = 60.0
"""A bucket of a minute is full after one: a longer wait is tried again once a minute."""
_OVERLOAD_FIRST_S, _OVERLOAD_LONGEST_S = 0.5, 8.0
_RATE_OVER_S = 10.0
"""The rate at which calls are sent is judged over about so long."""
_CUT, _SLOWEST_SHARE, _SLOWEST_PER_S = 0.5, 0.1, 0.2
"""What a refusal leaves of the rate, but never less than this share of the rate before, nor than so much."""
_GROWS_BACK_S = 10.0
"""How long a ceiling takes from half of a rate to the whole; at one and a half of it, it is gone."""
_WINDOW_S = 90.0
"""A reset further off than this is of a window that is no minute's."""

_NAMES = {"requests": "requests", "input-tokens": "input tokens", "output-tokens": "output tokens"}
_PLACES = {name: place for place, name in enumerate(_NAMES)}


class _Mirror:
    """The upstream's bucket, as far as it can be known."""

    __slots__ = ("at", "level", "limit", "per_s", "spent")

    def __init__(self) -> None:
        self.limit = 1
        self.level = 0.0
        self.per_s = 0.0
        self.at = 0.0
        self.spent = 0

    def level_at(self, now: float) -> float:
        return min(float(self.limit), self.level + self.per_s * max(0.0, now - self.at))

    def see(self, room: Room, spent_since: int, now: float) -> None:
        """Take over what an answer told, less what was sent after its call and may not be counted in it."""
        self.limit = room.limit
        self.per_s = room.limit / 60
        if room.reset_in_s > _WINDOW_S:
            self.per_s = (room.limit - room.remaining) / room.reset_in_s
        self.level = float(room.remaining - spent_since)
        self.at = now

    def take(self, tokens: int, now: float) -> None:
        self.level = self.level_at(now) - tokens
        self.at = max(self.at, now)
        self.spent += tokens


class Pacer:
    """
    A turnstile: what one upstream credential may still send to one class of models.

    Args:
        rule: When to slow down, and for how long a call may wait.
        family: ``ratelimit``, or ``fast`` for calls in fast mode.

    """

    def __init__(self, rule: UpstreamRule, family: str = "ratelimit") -> None:
        self.queue_seconds = rule.queue_seconds
        self._rule = rule
        self._family = family
        self._learned = Learned()
        self._mirrors: dict[str, _Mirror] = {}
        self._hold_until = -math.inf
        self._next_at = -math.inf
        self._ceiling = math.inf
        self._ceiling_at = -math.inf
        self._rate_before = 0.0
        self._overloads = 0
        self._sent = 0.0
        self._sent_at = -math.inf

    def wait_s(self, size: Size, now: float) -> float:
        """Seconds until a call should be sent; 0: now."""
        until = max(self._hold_until, self._next_at)
        for _, needs, mirror in self._needed(size):
            level = mirror.level_at(now)
            if level < needs and mirror.per_s > 0:
                until = max(until, now + (min(needs, mirror.limit) - level) / mirror.per_s)
        return until - now if until > now + 1e-6 else 0.0

    def why(self, size: Size, now: float) -> Why:
        """What of the upstream a call would wait for longest."""
        wait_s = self.wait_s(size, now)
        if self._hold_until > now:
            return Why("upstream", "a pause that the upstream asked for", wait_s)
        short = [
            ((needs - mirror.level_at(now)) / mirror.limit, f"{mirror.limit:,} {_NAMES[name]} per minute")
            for name, needs, mirror in self._needed(size)
        ]
        return Why("upstream", max(short)[1] if short else "the upstream's capacity", wait_s)

    def yields(self, now: float) -> bool:
        """Whether a call that waited as long as it may is sent all the same: never against a ``retry-after``."""
        return self._rule.when_late == "pass" and self._hold_until <= now

    def share(self, size: Size) -> float:
        """The part of a minute's worth that a call takes, of the limit where that is largest; 0 where unknown."""
        return max((min(1.0, needs / mirror.limit) for _, needs, mirror in self._needed(size)), default=0.0)

    def take(self, size: Size, now: float) -> Hold:
        """Count a call as sent; the hold is what had been spent with it."""
        spacing_s = 0.0
        for _, needs, mirror in self._needed(size):
            mirror.take(needs, now)
            share = mirror.level_at(now) / mirror.limit
            if share < self._rule.low_share and mirror.per_s > 0:
                spacing_s = max(spacing_s, min(needs, mirror.limit) * (1 - max(0.0, share)) / mirror.per_s)
        ceiling = self._ceiling_per_s(now)
        if ceiling < math.inf:
            spacing_s = max(spacing_s, 1 / ceiling)
        if spacing_s:
            self._next_at = max(self._next_at, now) + spacing_s
        self._sent = self._sent_per_s(now) * _RATE_OVER_S + 1
        self._sent_at = now
        spent = [0, 0, 0]
        for name, mirror in self._mirrors.items():
            spent[_PLACES[name]] = mirror.spent
        return tuple(spent)

    def settle(self, hold: Hold, size: Size, used: Used | None, now: float) -> None:  # noqa: ARG002
        """Learn how large calls are; what is left is the upstream's to tell."""
        if used is not None:
            self._learned.learn(size, used)

    def undo(self, hold: Hold, now: float) -> None:
        """Nothing: the next answer puts the mirror right."""

    def observe(self, status: int, told: Headroom, hold: Hold, sent_at: float, now: float) -> None:
        """
        Hear an answer.

        Args:
            status: Of the answer; 0 where there was none.
            told: Its headers.
            hold: What :meth:`take` gave for its call; None where the call went by.
            sent_at: When its call was sent.
            now: When the answer came.

        """
        self._see(told, hold, now)
        if status == 529:
            self._overloads += 1
            pause_s = min(_OVERLOAD_LONGEST_S, _OVERLOAD_FIRST_S * 2.0 ** (self._overloads - 1))
            self._refused(max(pause_s, told.retry_after_s or 0.0), sent_at, now)
        elif status == 429 and is_about_speed(told):
            self._refused(told.retry_after_s or 0.0, sent_at, now)
        elif 200 <= status < 400:
            self._overloads = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is known of the upstream."""
        return not self._mirrors and self._ceiling == math.inf

    def _see(self, told: Headroom, hold: Hold, now: float) -> None:
        for room in told.rooms:
            name = room.counts
            is_ours = room.family == self._family or (name == "requests" and room.family == "ratelimit")
            if is_ours and name in _PLACES:
                mirror = self._mirrors.get(name)
                if mirror is None:
                    mirror = self._mirrors[name] = _Mirror()
                mirror.see(room, 0 if hold is None else mirror.spent - hold[_PLACES[name]], now)

    def _refused(self, pause_s: float, sent_at: float, now: float) -> None:
        """Hold everybody back, and halve the rate once for all calls that were under way already."""
        self._hold_until = max(self._hold_until, now + min(pause_s, _HOLD_S_MAX))
        if sent_at <= self._ceiling_at:
            return
        ceiling = self._ceiling_per_s(now)
        rate = min(self._sent_per_s(now), ceiling)
        self._rate_before = max(rate, _SLOWEST_PER_S, self._rate_before if ceiling < math.inf else 0.0)
        self._ceiling = max(rate * _CUT, self._rate_before * _SLOWEST_SHARE, _SLOWEST_PER_S)
        self._ceiling_at = now

    def _ceiling_per_s(self, now: float) -> float:
        """Grows evenly, by half the former rate in ten seconds; it rests while a hold runs."""
        if self._ceiling == math.inf:
            return math.inf
        since_s = max(0.0, now - max(self._ceiling_at, self._hold_until))
        ceiling = self._ceiling + self._rate_before * (1 - _CUT) * since_s / _GROWS_BACK_S
        if ceiling >= self._rate_before * (2 - _CUT):
            self._ceiling = ceiling = math.inf
        return ceiling

    def _sent_per_s(self, now: float) -> float:
        return self._sent / _RATE_OVER_S * math.exp(-(now - self._sent_at) / _RATE_OVER_S) if self._sent else 0.0

    def _needed(self, size: Size) -> list[tuple[str, int, _Mirror]]:
        """What a call takes of each limit that is known."""
        if not self._mirrors:
            return []
        needs = self._learned.guess(size)
        return [(name, needs[_PLACES[name]], mirror) for name, mirror in self._mirrors.items()]


def is_about_speed(told: Headroom) -> bool:
    """
    Whether a 429 asks for patience: it says how long, may be retried, and is no subscription's.

    A spend limit comes without ``retry-after`` (facts 9) or says that to retry is useless (facts 12.1). A
    subscription's window lasts for hours, and its holder should see the upstream's own words.
    """
    return told.retry_after_s is not None and told.may_retry and told.subscription is None
