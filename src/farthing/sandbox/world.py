"""The whole mutable state of one sandbox. No I/O."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from farthing.prices.book import shipped_book
from farthing.sandbox.accounts import Accounts, Caller, Key, Organization, Workspace, key_hint, secret_digest
from farthing.sandbox.answering import Echo, Replies
from farthing.sandbox.books import Books
from farthing.sandbox.cache import PromptCache
from farthing.sandbox.clock import Clock, RealClock
from farthing.sandbox.credit import Credits
from farthing.sandbox.diagnostics import Diagnostics
from farthing.sandbox.faults import Faults
from farthing.sandbox.files import Files
from farthing.sandbox.limits import RateLimiter
from farthing.sandbox.threads import Threads
from farthing.sandbox.tokenizer import SandboxCounter
from farthing.tokens.models import Unknowable, traits_of

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import Model

DEMO_KEY = "sk-ant-api03-sandbox-0000000000000000000000000000000000000000"
"""A key that every world accepts unless told otherwise. It opens nothing but sandboxes."""

DEMO_ADMIN_KEY = "sk-ant-admin01-sandbox-00000000000000000000000000000000000000"


class World:
    """
    One sandbox.

    Args:
        clock: Its time; the machine's by default.
        seed: Decides every id and every chance, so equal worlds give equal answers.
        book: Its prices; the shipped ones by default.
        tier: Usage tier of the organisation it starts with; None: no limits.
        keep: How many requests its books keep; None: all.

    Attributes:
        lock: Held by :mod:`farthing.sandbox.messages` while a request begins or settles; whoever changes several parts
            at once holds it too.
        organization, workspace, key, admin_key: What it starts with.
        default_fallbacks: What ``fallbacks: "default"`` stands for, canonical ids by the model asked for. Which they
            really are is not documented, so there are none; a model without any runs alone.

    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        book: PriceBook | None = None,
        tier: str | None = "Scale",
        keep: int | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.clock: Clock = clock or RealClock()
        self.seed = seed
        self.book = book or shipped_book()
        self.accounts = Accounts()
        self.cache = PromptCache()
        self.limits = RateLimiter()
        self.diagnostics = Diagnostics()
        self.threads = Threads()
        self.credits = Credits()
        self.default_fallbacks: dict[str, tuple[str, ...]] = {}
        self.replies = Replies(Echo())
        self.faults = Faults(seed=seed)
        self.books = Books(keep=keep)
        self.files = Files(self)
        self._counts: dict[str, int] = {}
        self.organization = self.accounts.put_organization(
            Organization(id=self._uuid("organization"), name="Sandbox", tier=tier)
        )
        self.workspace = self.add_workspace("Default", is_default=True)
        self.key = self.add_key(DEMO_KEY, workspace_id=self.workspace.id, name="sandbox")
        self.admin_key = self.add_key(DEMO_ADMIN_KEY, workspace_id=None, name="sandbox admin", kind="admin")

    @property
    def caller(self) -> Caller:
        """Whoever holds :data:`DEMO_KEY`."""
        return self.accounts.caller(self.key)

    def add_workspace(self, name: str, *, is_default: bool = False) -> Workspace:
        """A new workspace of the organisation; replace it with ``accounts.put_workspace`` to give it limits."""
        workspace = Workspace(id=self.new_id("wrkspc_"), name=name, is_default=is_default, created_at=self.clock.now())
        return self.accounts.put_workspace(workspace, self.organization.id)

    def add_key(self, secret: str, *, workspace_id: str | None, name: str, kind: str = "api") -> Key:
        """A key of the organisation; only a hash of *secret* is kept."""
        key = Key(
            id=self.new_id("apikey_"),
            name=name,
            kind=kind,
            secret_sha256=secret_digest(secret),
            hint=key_hint(secret),
            organization_id=self.organization.id,
            workspace_id=workspace_id,
            created_at=self.clock.now(),
        )
        return self.accounts.put_key(key)

    def new_id(self, prefix: str) -> str:
        """The next id of its kind (``msg_``, ``req_``, ``msgbatch_``, ...), decided by the seed."""
        with self.lock:
            count = self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}01{hashlib.blake2b(f'{self.seed}:{prefix}:{count}'.encode(), digest_size=11).hexdigest()}"

    def counter(self, caller: Caller, model: Model, at: datetime) -> SandboxCounter:
        """What counts a prompt of that caller for a model of the book; a file that the caller has not is a 404."""
        traits = traits_of(model.id)
        assert not isinstance(traits, Unknowable), "a model of the book"
        return SandboxCounter(traits, at.date(), lambda file_id: self.files.find(caller, file_id).tokens)

    def _uuid(self, what: str) -> str:
        text = hashlib.blake2b(f"{self.seed}:{what}".encode(), digest_size=16).hexdigest()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
