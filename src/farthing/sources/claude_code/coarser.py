"""
Fewer and larger buckets, for reports that tell less apart than quarter-hours of single sessions.

A report by day needs no quarter-hours, and pricing ten of them as one costs a tenth. What may be priced together is
what :mod:`.buckets` says: everything that decides a rate stays part of the key, the UTC day among it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from farthing.call import Usage
from farthing.sources.claude_code.buckets import QUARTER_US, Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

_DAY_QUARTERS = 24 * 3600 * 10**6 // QUARTER_US


def coarser(buckets: Iterable[Bucket], apart: Callable[[Bucket], Hashable]) -> list[Bucket]:
    """
    Merge buckets that have all rates in common and that *apart* does not tell apart.

    Args:
        buckets: From :func:`~farthing.sources.claude_code.iter_buckets`.
        apart: What a report keeps apart: a local day, a session, a project.

    Returns:
        Buckets of the same calls, counts, kinds and prices. Quarter, project, session and agent are those of the
        earliest of the merged: of no meaning unless *apart* tells them apart.

    """
    groups: dict[tuple[Hashable, ...], list[Bucket]] = {}
    merged: list[Bucket] = []
    for one in buckets:
        if one.own is not None:
            merged.append(one)
            continue
        key = (
            apart(one),
            one.quarter // _DAY_QUARTERS,
            one.model,
            one.service_tier,
            one.speed,
            one.inference_geo,
            one.prompt_over_100k,
            one.prompt_over_200k,
            one.kind,
            one.client_pusd is None,
        )
        group = groups.get(key)
        if group is None:
            groups[key] = [one]
        else:
            group.append(one)
    return merged + [group[0] if len(group) == 1 else _merged(group) for group in groups.values()]


def _merged(group: list[Bucket]) -> Bucket:
    first = min(group, key=lambda one: one.first_us)
    counts = zip(*(msgspec.structs.astuple(one.usage) for one in group), strict=True)
    return msgspec.structs.replace(
        first,
        calls=sum(one.calls for one in group),
        usage=Usage(*map(sum, counts)),
        prompt_tokens_max=max(one.prompt_tokens_max for one in group),
        last_us=max(one.last_us for one in group),
        client_pusd=None if first.client_pusd is None else sum(one.client_pusd or 0 for one in group),
    )
