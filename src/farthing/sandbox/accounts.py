"""Who may call: organisations, their workspaces and keys. Keys are kept as hashes only."""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from farthing.errors import BadInput

PerMinute = Annotated[int, msgspec.Meta(ge=1)]


class RateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per minute; None: the organisation's own limit alone."""

    requests: PerMinute | None = None
    input_tokens: PerMinute | None = None
    output_tokens: PerMinute | None = None


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """
    One workspace.

    Attributes:
        id: ``wrkspc_...``.
        name: For people.
        is_default: The organisation's default workspace, which may have no limits of its own.
        limits: Its own rate limits, on top of the organisation's, for each class of models alike.
        limits_by_class: The same for one class, by its published name, where they differ.
        spend_limit_pusd: Its own monthly limit in picodollars; None: none.
        default_inference_geo: What a request without ``inference_geo`` gets.
        allowed_inference_geos: Any other is refused.

    """

    id: str
    name: str
    is_default: bool = False
    limits: RateLimits = RateLimits()
    limits_by_class: dict[str, RateLimits] = {}
    spend_limit_pusd: int | None = None
    default_inference_geo: str = "global"
    allowed_inference_geos: tuple[str, ...] = ("global", "us")
    created_at: datetime | None = None
    archived_at: datetime | None = None

    def limits_of(self, model_class: str) -> RateLimits:
        """Its own limits for a class of models."""
        own = self.limits_by_class.get(model_class, RateLimits())
        return RateLimits(
            requests=self.limits.requests if own.requests is None else own.requests,
            input_tokens=self.limits.input_tokens if own.input_tokens is None else own.input_tokens,
            output_tokens=self.limits.output_tokens if own.output_tokens is None else own.output_tokens,
        )


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """
    One organisation.

    Attributes:
        id: A UUID.
        tier: ``Start``, ``Build`` or ``Scale``; None: no rate or spend limits at all.
        spend_limit_pusd: The limit that its owner set, per month; None: none beside the tier's.

    """

    id: str
    name: str
    tier: str | None = "Scale"
    spend_limit_pusd: int | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """
    One key, without its secret.

    Attributes:
        id: ``apikey_...``.
        kind: ``api``, ``admin`` or ``analytics``.
        secret_sha256: Hex digest of the whole key.
        hint: The first and last characters, as the Admin API shows them.
        workspace_id: None for admin keys.
        status: ``active``, ``inactive``, ``archived`` or ``expired``.

    """

    id: str
    name: str
    kind: str
    secret_sha256: str
    hint: str
    organization_id: str
    workspace_id: str | None
    status: str = "active"
    created_at: datetime | None = None
    expires_at: datetime | None = None


class Caller(NamedTuple):
    """Who a request is billed to, once its key is known to be good."""

    organization_id: str
    workspace_id: str
    key_id: str


class Accounts:
    """
    Every organisation, workspace and key of one world. May be used from several threads.

    Records are immutable; :meth:`put` replaces one by its id.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.organizations: dict[str, Organization] = {}
        self.workspaces: dict[str, Workspace] = {}
        self.keys: dict[str, Key] = {}
        self._organization_of: dict[str, str] = {}
        self._by_secret: dict[str, str] = {}

    def put_organization(self, organization: Organization) -> Organization:
        """Add or replace."""
        with self._lock:
            self.organizations[organization.id] = organization
        return organization

    def put_workspace(self, workspace: Workspace, organization_id: str) -> Workspace:
        """
        Add or replace.

        Raises:
            BadInput: There is no such organisation.

        """
        if organization_id not in self.organizations:
            raise BadInput(f"read organisation {organization_id!r}", "one that was added before")
        with self._lock:
            self.workspaces[workspace.id] = workspace
            self._organization_of[workspace.id] = organization_id
        return workspace

    def put_key(self, key: Key) -> Key:
        """Add or replace."""
        with self._lock:
            self.keys[key.id] = key
            self._by_secret[key.secret_sha256] = key.id
        return key

    def workspaces_of(self, organization_id: str) -> list[Workspace]:
        """In the order they were added."""
        return [w for w in self.workspaces.values() if self._organization_of[w.id] == organization_id]

    def find_key(self, secret: str) -> Key | None:
        """The key with this secret, whatever its status; None for a stranger's."""
        key_id = self._by_secret.get(secret_digest(secret))
        return None if key_id is None else self.keys[key_id]

    def caller(self, key: Key) -> Caller:
        """
        Who a request with this key is billed to.

        Raises:
            BadInput: The key is not for the Messages API.

        """
        if key.workspace_id is None:
            raise BadInput(f"read a key of kind {key.kind}", "one that belongs to a workspace")
        return Caller(key.organization_id, key.workspace_id, key.id)


def secret_digest(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_hint(secret: str) -> str:
    """What may be shown of a key: ``sk-ant-api03-R2D...igAA``, and nothing of a short one."""
    return f"{secret[:16]}...{secret[-4:]}" if len(secret) >= 40 else f"{secret[:10]}..."
