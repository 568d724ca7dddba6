"""
Budgets, and which of them a call falls under. Pure.

Every budget whose scope matches a call applies to it, and all must admit it: an organisation's beside a team's beside a
key's is a tree by its scopes, without any parent being named.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, NamedTuple

from farthing.limits.protocol import AccountKey
from farthing.limits.windows import Window, WindowKind, window_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from fractions import Fraction
    from zoneinfo import ZoneInfo

Mode = Literal["hard", "soft", "degrade"]
MODEL = "model"
"""In a scope, and in ``each``, the model that is asked for; every other name is a dimension or a tag."""
NOBODY = "(none)"
"""What calls without a value are counted under: together, for else leaving a header out would be a way past."""

_REMEMBERED_MAX = 20_000


class Budget(NamedTuple):
    """
    One budget.

    Attributes:
        name: Unique.
        limit_pusd: The limit.
        window: What it counts in.
        zone: Where its calendar windows begin.
        mode: ``hard`` refuses, ``degrade`` hands over to *degrade_to*, ``soft`` only tells.
        scope: Per dimension the patterns of which one must match; empty: every call.
        each: Dimension whose values have the limit each to itself; None: all share it.
        alert_at: Shares of the limit, ascending, whose reaching is told once a window.
        degrade_to: Model id for ``degrade``, else None.
        quantile: A smooth budget's; None: the worst case is reserved.
        overshoot_pusd: How far a smooth budget's spend may go beyond its limit at most; else 0.
        allows_unpriced: Whether calls without a known worst case pass, uncounted until they have a price.

    """

    name: str
    limit_pusd: int
    window: WindowKind
    zone: ZoneInfo
    mode: Mode = "hard"
    scope: tuple[tuple[str, tuple[str, ...]], ...] = ()
    each: str | None = None
    alert_at: tuple[Fraction, ...] = ()
    degrade_to: str | None = None
    quantile: Fraction | None = None
    overshoot_pusd: int = 0
    allows_unpriced: bool = False

    def matches(self, dims: Mapping[str, str], model: str) -> bool:
        """Whether a call falls under it; one that does not tell its model may be for any."""
        for name, patterns in self.scope:
            if name == MODEL and not model:
                continue
            value = model if name == MODEL else dims.get(name)
            if value is None or not any(fnmatchcase(value, pattern) for pattern in patterns):
                return False
        return True

    def value_of(self, dims: Mapping[str, str], model: str) -> str:
        """What a call is counted under, beside the window: ``tenant=acme``; empty where all share."""
        names = [self.each] if self.each else []
        if self.window in ("session", "run"):
            names.append(self.window)
        return ",".join(f"{name}={(model if name == MODEL else dims.get(name)) or NOBODY}" for name in names)


class Applied(NamedTuple):
    """A budget that applies to a call, and the account and window it is counted in."""

    budget: Budget
    key: AccountKey
    window: Window


class Applying:
    """
    Which budgets apply to a call; remembers what it found.

    Args:
        budgets: All there are.

    Attributes:
        names: The dimensions and tags that decide it. by_model: whether the model does, too.

    """

    def __init__(self, budgets: Sequence[Budget]) -> None:
        # Those that refuse come first: what they refuse need not be handed to another model.
        self._budgets = sorted(budgets, key=lambda one: one.mode == "degrade")
        names = {name for one in budgets for name in (*(part for part, _ in one.scope), one.each or "")}
        names |= {one.window for one in budgets if one.window in ("session", "run")}
        self.names = tuple(sorted(names - {"", MODEL}))
        self.by_model = MODEL in names
        self._found: dict[tuple[str | None, ...], tuple[Applied, ...]] = {}
        self._until: datetime | None = None
        self._since: datetime | None = None

    def to(self, dims: Mapping[str, str], model: str, at: datetime) -> tuple[Applied, ...]:
        """
        The budgets that apply, those that refuse before those that degrade.

        Args:
            dims: Dimensions and tags of the call.
            model: As asked for.
            at: When it is sent; aware.

        """
        if (self._until is not None and at >= self._until) or (self._since is not None and at < self._since):
            self._found.clear()
            self._since = self._until = None
        asked = (model, *[dims.get(name) for name in self.names])
        found = self._found.get(asked)
        if found is None:
            if len(self._found) >= _REMEMBERED_MAX:
                self._found.clear()
            found = self._found[asked] = tuple(self._applied(dims, model, at))
        return found

    def _applied(self, dims: Mapping[str, str], model: str, at: datetime) -> list[Applied]:
        found = []
        for budget in self._budgets:
            if budget.matches(dims, model):
                window = window_at(budget.window, at, budget.zone)
                key = AccountKey(budget.name, budget.value_of(dims, model), window.start_s)
                found.append(Applied(budget, key, window))
                if window.starts_at is not None and window.ends_at is not None:
                    self._since = max(self._since or window.starts_at, window.starts_at)
                    self._until = min(self._until or window.ends_at, window.ends_at)
        return found


def bound_of(key: AccountKey) -> AccountKey:
    """The second account of a smooth budget: it counts worst cases, up to the limit and the overshoot."""
    return key._replace(meter="bound")
