"""
Which model an id names, on which channel, behind which kind of endpoint.

Exact ids only. ``claude-opus-5`` is a prefix of ``claude-opus-5-5`` and costs more; a tool that matches prefixes
misprices on every release day. An id that is in no table is unknown, and the nearest ids are named in the message.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadPriceBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.prices.schema import Model

CHANNELS = {
    "claude_api": "Claude API",
    "claude_platform_aws": "Claude Platform on AWS",
    "bedrock": "Amazon Bedrock",
    "google_cloud": "Google Cloud (partner-operated)",
    "google_anthropic": "Claude on Google Cloud (Anthropic-managed)",
    "foundry": "Microsoft Foundry",
}
PARTNER_CHANNELS = frozenset({"bedrock", "google_cloud"})
"""Channels that a partner operates: endpoints are global or regional, and regional ones may carry a premium."""

BEDROCK_PROFILE_PREFIXES = ("us.", "eu.", "apac.", "au.", "jp.", "us-gov.", "global.")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:(?:inference-profile|foundation-model)/(?P<id>.+)")
_NEAR_MAX = 1_000


class Named(NamedTuple):
    """
    What an id names.

    Attributes:
        model: The model.
        channel: The channel that the id or the caller stated.
        endpoint: ``global`` or ``regional`` on partner channels where the id decides it, else None.
        note: Something to say about the match, or empty.

    """

    model: Model
    channel: str
    endpoint: str | None = None
    note: str = ""


class NameTable:
    """
    Exact id tables of one book, one per channel.

    Raises:
        BadPriceBook: An id names two models, on one channel or on two, or a model has no Claude API id.

    """

    def __init__(self, models: Iterable[Model]) -> None:
        self._tables: dict[str, dict[str, Named]] = {channel: {} for channel in CHANNELS}
        self._owners: dict[str, Model] = {}
        self._near: dict[tuple[str, int], list[str]] = {}  # it takes milliseconds, and is asked for every day of a page
        for model in models:
            if not model.ids.claude_api:
                raise BadPriceBook(f"{model.name} has no Claude API id, which is its name everywhere")
            self._add(model)

    def find(self, model_id: str, channel: str = "claude_api") -> Named | None:
        """
        The model that *model_id* names on *channel*, or None.

        An id that only a partner uses (``us.anthropic.claude-...``, ``claude-...@20250929``, a Bedrock ARN) states its
        channel itself when *channel* is the default.
        """
        arn = _ARN.fullmatch(model_id)
        wanted = arn["id"] if arn else model_id
        found = self._tables.get(channel, {}).get(wanted)
        if found is None and channel == "claude_api":
            found = self._tables["bedrock"].get(wanted) or self._tables["google_cloud"].get(wanted)
        return found

    def nearest(self, model_id: str, count: int = 3) -> list[str]:
        """Known ids that look most like *model_id*, for a message; never for a price."""
        found = self._near.get((model_id, count))
        if found is None:
            known = sorted({known for table in self._tables.values() for known in table})
            found = difflib.get_close_matches(model_id, known, n=count, cutoff=0.5)
            if len(self._near) >= _NEAR_MAX:
                self._near.clear()
            self._near[model_id, count] = found
        return list(found)

    def all_ids(self, channel: str) -> list[str]:
        """Every id known on *channel*, sorted."""
        return sorted(self._tables[channel])

    def _add(self, model: Model) -> None:
        ids = model.ids
        for channel in CHANNELS:
            # The first-party id is unambiguous, so it is accepted wherever the caller states the channel.
            for api_id in ids.claude_api:
                self._put(channel, api_id, Named(model, channel))
        for channel, own in (
            ("claude_platform_aws", ids.claude_platform_aws),
            ("foundry", ids.foundry),
            ("google_anthropic", ids.google_anthropic),
            ("google_cloud", ids.google_cloud),
        ):
            for own_id in own:
                self._put(channel, own_id, Named(model, channel))
        for bedrock_id in ids.bedrock:
            self._put("bedrock", bedrock_id, Named(model, "bedrock", "regional"))
            for prefix in BEDROCK_PROFILE_PREFIXES:
                unseen = prefix not in ids.bedrock_profile_prefixes_seen
                note = f"inference profile {prefix}* was not seen for this model" if unseen else ""
                if prefix == "us-gov.":
                    note = "GovCloud premium is UNCONFIRMED; priced as any regional endpoint"
                endpoint = "global" if prefix == "global." else "regional"
                self._put("bedrock", prefix + bedrock_id, Named(model, "bedrock", endpoint, note))

    def _put(self, channel: str, own_id: str, named: Named) -> None:
        owner = self._owners.setdefault(own_id, named.model)
        if owner is not named.model:
            raise BadPriceBook(f"id {own_id!r} names both {owner.name} and {named.model.name}")
        self._tables[channel][own_id] = named
