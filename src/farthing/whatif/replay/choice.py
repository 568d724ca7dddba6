"""
What could be chosen instead: a value that can be printed, combined and tested without a replay.

A choice is a list of rules in order. A rule turns levers for the calls that it is about; where two rules turn the same
lever for a call, the later one holds. So ``one.then(other)`` is one after the other, and combining is associative.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import msgspec

from farthing.errors import BadInput
from farthing.prices.contract_terms import ContractTerms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.call import Call

CachePolicy = Literal["as_recorded", "as_marked", "none", "automatic", "end", "fixed", "second_sight"]
LifetimeChoice = Literal["5m", "1h", "mixed"]

BREAKPOINTS_MAX = 4
TURNAROUND_S = 3600
"""How long a batch takes where nothing else is said: most end within an hour (facts: claude-api 6)."""


class Caching(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Where breakpoints stand, and for how long.

    Attributes:
        policy: ``as_recorded``: the counts stay as they were measured. ``as_marked``: the request's own breakpoints,
            replayed. ``none``. ``automatic``: on the last block that may carry one. ``end``: on the last such block
            before the newest one, which is plain input. ``fixed``: at ``places``. ``second_sight``: on the longest
            prefix that any call of the same scope had within the last hour.
        places: For ``fixed``, up to four: ``tools``, ``system`` and ``messages`` for the end of a section, or a
            block's number, from the end where it is negative. Those that a prompt lacks are left out.
        ttl: ``5m``, ``1h``, or ``mixed``: an hour in tools and system, 5 minutes in messages. None: 5 minutes, or as
            recorded for ``as_marked``.
        pings: How often, after its last use, the newest breakpoint's prefix is read again to keep it alive: by the same
            request with ``max_tokens: 0``, which is paid for. 0: never.
        ping_every_s: How long after the last use or ping.

    """

    policy: CachePolicy = "as_recorded"
    places: tuple[str | int, ...] = ()
    ttl: LifetimeChoice | None = None
    pings: int = 0
    ping_every_s: int = 240

    def __post_init__(self) -> None:
        """
        Check what no replay could carry out.

        Raises:
            BadInput: Places without ``fixed`` or the other way round, too many or unknown ones, or bad pings.

        """
        if bool(self.places) != (self.policy == "fixed") or len(self.places) > BREAKPOINTS_MAX:
            read = f"read the cache policy {self.policy} with {len(self.places)} places"
            raise BadInput(read, f"1 to {BREAKPOINTS_MAX} places for fixed, and none for any other")
        if unknown := [one for one in self.places if isinstance(one, str) and one not in SECTIONS]:
            raise BadInput(f"read the place {unknown[0]!r}", f"{', '.join(SECTIONS)} or the number of a block")
        if self.pings < 0 or self.ping_every_s <= 0:
            raise BadInput(f"read {self.pings} pings every {self.ping_every_s} s", "0 or more, each after some time")
        if self.pings and self.policy in {"as_recorded", "none"}:
            raise BadInput(f"read pings with the cache policy {self.policy}", "a policy that sets breakpoints")

    @property
    def is_replayed(self) -> bool:
        """Whether the rules of the cache are run, instead of taking the measured counts."""
        return self.policy != "as_recorded"


SECTIONS = ("tools", "system", "messages")


class Effort(msgspec.Struct, frozen=True):
    """
    Another effort, and what it is believed to do to the output.

    Attributes:
        level: ``low``, ``medium``, ``high``, ``xhigh`` or ``max``.
        output_factor: Output tokens per output token as recorded. Nobody publishes one; it is always *assumed*.

    """

    level: str
    output_factor: Fraction


class Levers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What one rule turns; None leaves a lever as it is.

    Attributes:
        cache: Caching.
        model: Canonical id of the model to ask.
        batch: True: through Message Batches; False: not. turnaround_s: how long after it was sent a batched call is
            worked on.
        inference_geo: ``global`` or ``us``. speed: ``standard`` or ``fast``. effort: see :class:`Effort`.
        channel: A key of :data:`farthing.prices.names.CHANNELS`. location: region or ``global`` on partner channels.
        tokenizer_factor: Tokens of the new tokenizer per token of the old one; None: the published figure. Used only
            where they differ.

    """

    cache: Caching | None = None
    model: str | None = None
    batch: bool | None = None
    turnaround_s: int | None = None
    inference_geo: str | None = None
    speed: str | None = None
    effort: Effort | None = None
    channel: str | None = None
    location: str | None = None
    tokenizer_factor: Fraction | None = None

    @property
    def leaves_service(self) -> bool:
        """Whether calls are served as they were: only the cache is looked at, or nothing."""
        turned = (self.model, self.batch, self.inference_geo, self.speed, self.effort, self.channel, self.location)
        return turned == _NOTHING_TURNED

    def only(self, names: tuple[str, ...]) -> Levers:
        """These levers alone."""
        return msgspec.structs.replace(UNTURNED, **{name: getattr(self, name) for name in names})

    def then(self, later: Levers) -> Levers:
        """These levers, and over them the *later* ones that are turned."""
        turned = {name: value for name in self.__struct_fields__ if (value := getattr(later, name)) is not None}
        return msgspec.structs.replace(self, **turned) if turned else self


UNTURNED = Levers()
_TOGETHER = (
    ("model", "tokenizer_factor"),
    ("channel", "location"),
    ("inference_geo",),
    ("speed",),
    ("effort",),
    ("cache",),
    ("batch", "turnaround_s"),
)
"""In the order in which a choice is taken apart."""
_NOTHING_TURNED = (None,) * 7


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Levers for some calls.

    Attributes:
        levers: What is turned.
        where: Per dimension, tag or ``model`` the values to which the rule is limited; the empty string stands for
            "not set". Empty: all calls.

    """

    levers: Levers
    where: dict[str, tuple[str, ...]] = {}

    def is_about(self, call: Call) -> bool:
        """Whether it turns anything for *call*."""
        return all(value_of(call, name) in values for name, values in self.where.items())


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Rules in order, and the contract to price under.

    Attributes:
        rules: The later one holds where two turn the same lever for a call.
        contract: Price under these terms instead of those in force; None: leave it. A credit on a month's volume
            belongs to no single call and is left out.
        name: What to call it.

    """

    rules: tuple[Rule, ...] = ()
    contract: ContractTerms | None = None
    name: str = ""

    @classmethod
    def of(cls, name: str = "", where: Mapping[str, tuple[str, ...]] | None = None, **levers: object) -> Choice:
        """A choice of one rule: ``Choice.of(model="claude-haiku-5-5", where={"feature": ("triage",)})``."""
        return cls(rules=(Rule(msgspec.structs.replace(UNTURNED, **levers), dict(where or {})),), name=name)

    def then(self, later: Choice) -> Choice:
        """One choice and, over it, a *later* one."""
        rules, contract = self.rules + later.rules, later.contract or self.contract
        return Choice(rules=rules, contract=contract, name=later.name or self.name)

    def levers_for(self, call: Call) -> Levers:
        """What is turned for one call."""
        levers = UNTURNED
        for rule in self.rules:
            if not rule.where or rule.is_about(call):
                levers = levers.then(rule.levers)
        return levers

    def lever_by_lever(self) -> list[Choice]:
        """The same choice in steps of one lever each, with what belongs to it; together they are this choice."""
        steps = [
            Choice(rules=(Rule(part, rule.where),), name=_told(group, rule))
            for rule in self.rules
            for group in _TOGETHER
            if (part := rule.levers.only(group)) != UNTURNED
        ]
        return [*steps, Choice(contract=self.contract, name="contract")] if self.contract is not None else steps

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Every name that its rules look at, sorted."""
        return tuple(sorted({name for rule in self.rules for name in rule.where}))


def _told(group: tuple[str, ...], rule: Rule) -> str:
    """A step's name: its lever and value, and the calls that it is about."""
    value = getattr(rule.levers, group[0])
    match value:
        case Caching():
            value = "+".join(str(place) for place in value.places) or value.policy
            value += "" if rule.levers.cache is None or rule.levers.cache.ttl is None else f" {rule.levers.cache.ttl}"
        case Effort():
            value = f"{value.level} x {float(value.output_factor):g}"
        case bool():
            value = str(value).lower()
    about = " and ".join(f"{name}={'|'.join(values)}" for name, values in rule.where.items())
    return f"{group[0]}={value}" + (f" where {about}" if about else "")


def value_of(call: Call, name: str) -> str:
    """A dimension or tag (``tag:NAME`` or plain) of a call, or its ``model``; empty where it is not set."""
    return call.served.model if name == "model" else call.dims.get(name.removeprefix("tag:"), "")
