"""
From anomalies to causes: what rose together is told once, with what drives it. Pure.

Several measures of one feature that rise together are one cause, told by the one that explains the others. The same
measure in a feature of several tenants, or in several features of one tenant, is one cause too; and so it is in several
features of several tenants where it rose within a few hours everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.series import METRICS, MetricName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from farthing.alerts.anomalies import Anomaly
    from farthing.alerts.series import Member

_TENANTS_MIN = 3
_FEATURES_MIN = 2
_APART_H = 12
_EVERYWHERE_H = 3
"""Strangers have less time to be taken for one cause: only the hour speaks for it."""
_ORDER: dict[MetricName, int] = {metric.name: number for number, metric in enumerate(METRICS)}


class Cause(NamedTuple):
    """
    One cause.

    Attributes:
        scope: What the members have in common: ``tenant``, ``feature``, ``model``, as far as they have.
        pairs: Tenant and feature of each member, sorted.
        anomalies: What rose, the one that explains first.
        stake_pusd: Dollars above usual so far, each member counted once.

    """

    scope: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...]
    anomalies: tuple[Anomaly, ...]
    stake_pusd: int

    @property
    def main(self) -> Anomaly:
        """The anomaly that is told first."""
        return self.anomalies[0]

    @property
    def first(self) -> int:
        """The hour in which it began."""
        return min(one.episode.first for one in self.anomalies)

    @property
    def last(self) -> int:
        """The last hour in which it showed."""
        return max(one.episode.last for one in self.anomalies)


def causes(anomalies: Iterable[Anomaly]) -> list[Cause]:
    """Group anomalies, dearest cause first."""
    left = list(anomalies)
    found = []
    while left:
        group = _widest(left)
        found.append(_cause(group))
        chosen = {id(one) for one in group}
        left = [one for one in left if id(one) not in chosen]
    return sorted(found, key=lambda one: (-one.stake_pusd, one.scope, one.pairs))


def _widest(left: Sequence[Anomaly]) -> list[Anomaly]:
    """The anomalies of the widest cause there is: everywhere, a feature of many tenants, a tenant's, one feature."""
    everywhere = _shared(left, lambda _: "", _EVERYWHERE_H)
    by_feature = _shared(left, lambda member: member.feature, _APART_H)
    by_tenant = _shared(left, lambda member: member.tenant, _APART_H)
    tenants, features = (set(names) for names in zip(*everywhere, strict=True))
    if len(tenants) >= _TENANTS_MIN and len(features) >= _FEATURES_MIN and len(everywhere) > len(by_feature):
        pairs = set(everywhere)
    elif len(by_feature) >= _TENANTS_MIN:
        pairs = set(by_feature)
    elif len(by_tenant) >= _FEATURES_MIN:
        pairs = set(by_tenant)
    else:
        pairs = {min((one.member.pair, _ORDER[one.metric.name]) for one in left)[0]}
    return [one for one in left if one.member.pair in pairs]


def _shared(left: Sequence[Anomaly], name_of: Callable[[Member], str], apart_h: int) -> list[tuple[str, str]]:
    """The most pairs that share a name and in which the same metric began to rise within so many hours."""
    groups: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for one in left:
        group = groups.setdefault((one.metric.name, name_of(one.member)), {})
        group[one.member.pair] = min(one.episode.first, group.get(one.member.pair, one.episode.first))
    together: list[tuple[str, str]] = []
    for _, group in sorted(groups.items()):
        for start in sorted(set(group.values())):
            near = sorted(pair for pair, first in group.items() if start <= first <= start + apart_h)
            together = max(together, near, key=len)
    return together


def _cause(group: Sequence[Anomaly]) -> Cause:
    ordered = sorted(group, key=lambda one: (_ORDER[one.metric.name], -one.stake_pusd, str(one.member)))
    pairs = tuple(sorted({one.member.pair for one in group}))
    stake = sum(max(one.stake_pusd for one in group if one.member.pair == pair) for pair in pairs)
    return Cause(_scope(group), pairs, tuple(ordered), stake)


def _scope(group: Sequence[Anomaly]) -> tuple[tuple[str, str], ...]:
    tenants, features = {one.member.tenant for one in group}, {one.member.feature for one in group}
    models = {one.member.model for one in group if one.member.model is not None}
    found = [("tenant", next(iter(tenants)))] if len(tenants) == 1 else []
    found += [("feature", next(iter(features)))] if len(features) == 1 else []
    found += [("model", next(iter(models)))] if len(models) == 1 else []
    return tuple((name, value) for name, value in found if value)
