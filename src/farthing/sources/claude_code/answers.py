"""What an index can be asked: calls, buckets, sessions. None of it opens a transcript."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from farthing.call import Call, call_identity
from farthing.sources.claude_code.buckets import MAIN, QUARTER_US, SUBAGENT, Bucket, from_us, to_us
from farthing.sources.claude_code.sighting import Key, Origin, Sighting, served_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from farthing.sources.claude_code.discovery import Root
    from farthing.sources.claude_code.index import Index

SOURCE = "claude-code"
_DAY_US = 96 * QUARTER_US


class Session(msgspec.Struct, frozen=True):
    """
    One session: what it called, and when.

    Attributes:
        session: Session id.
        project: Folder of its first call.
        first_at, last_at: Of its calls.
        calls: How many.
        buckets: They, summed; price these.

    """

    session: str
    project: str
    first_at: datetime
    last_at: datetime
    calls: int
    buckets: tuple[Bucket, ...]


def default_index_path(roots: Sequence[Root], env: Mapping[str, str] | None = None) -> Path:
    """
    Where the index of *roots* lies: ``$XDG_CACHE_HOME/farthing`` or ``~/.cache/farthing``, one file per set of roots.

    Args:
        roots: All that are scanned together; a call in two of them counts once.
        env: Environment; None: the process's own.

    """
    environment = os.environ if env is None else env
    cache = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(cache) / "farthing" / f"claude-code-{_digest(roots)}.sqlite"


def index_path(roots: Sequence[Root], setting: Path | None, env: Mapping[str, str] | None = None) -> Path:
    """
    Where the index of *roots* lies, given what the setting ``claude_code.index_path`` says (None: nothing).

    An index belongs to its roots alone, so a digest of them goes before the suffix of the file that was set, as it does
    in :func:`default_index_path`: looking elsewhere once never touches the index of the usual places.
    """
    if setting is None:
        return default_index_path(roots, env)
    return setting.with_name(f"{setting.stem}-{_digest(roots)}{setting.suffix}")


def iter_buckets(index: Index, since: datetime | None = None, until: datetime | None = None) -> Iterator[Bucket]:
    """
    Buckets that begin in ``[since, until)``, in no order; None: without limit.

    Exact for limits on a quarter-hour, as every midnight in every time zone in use is.
    """
    return index.buckets(_us(since), _us(until))


def iter_calls(index: Index, since: datetime | None = None, until: datetime | None = None) -> Iterator[Call]:
    """Calls sent in ``[since, until)``, in order of time; None: without limit. Holds one day in memory at once."""
    span = index.span_us()
    if span is None:
        return
    start = span[0] if since is None else max(span[0], to_us(since))
    end = span[1] if until is None else min(span[1], to_us(until))
    while start < end:
        day_end = min(end, (start // _DAY_US + 1) * _DAY_US)
        for key, sighting, origin in index.calls(start, day_end):
            yield _call(key, sighting, origin)
        start = day_end


def sessions(index: Index, since: datetime | None = None, until: datetime | None = None) -> list[Session]:
    """Sessions with calls in ``[since, until)``, the latest last; limits as for :func:`iter_buckets`."""
    by_id: dict[str, list[Bucket]] = {}
    for bucket in iter_buckets(index, since, until):
        by_id.setdefault(bucket.session, []).append(bucket)
    found = [_session(session, sorted(group, key=lambda one: one.first_us)) for session, group in by_id.items()]
    return sorted(found, key=lambda one: (one.last_at, one.session))


def _session(session: str, buckets: list[Bucket]) -> Session:
    return Session(
        session,
        buckets[0].project,
        buckets[0].first_at,
        max(bucket.last_at for bucket in buckets),
        sum(bucket.calls for bucket in buckets),
        tuple(buckets),
    )


def _call(key: Key, sighting: Sighting, origin: Origin) -> Call:
    message_id, request_id, _ = key
    return Call(
        call_id=call_identity(message_id, request_id or None) or message_id,
        sent_at=from_us(sighting.sent_us),
        source=SOURCE,
        served=served_of(key, sighting),
        dims={
            "project": origin.project,
            "session": origin.session,
            "agent": SUBAGENT if sighting.from_subagent else MAIN,
        },
    )


def _digest(roots: Sequence[Root]) -> str:
    return hashlib.blake2b("\n".join(sorted(root.path for root in roots)).encode(), digest_size=8).hexdigest()


def _us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)
