"""
Who should pay for a cache write: the calls that read it, not the one that happened to come first.

A write costs more than plain input (1.25 or 2 times); that premium is an investment in the reads that follow. The bill
puts it on the writer, so the tenant whose call comes first each morning pays for everybody. Here the premium of each
write is split among the calls that read it, in proportion to what they read of it, and the writer keeps the premium of
what nobody read: that is waste, and its own. Nothing is lost or made: fair shares sum to the premiums paid.

Which write a call read is known where both calls kept the hashes of their prompt's prefix blocks
(:class:`farthing.call.PromptBlock`): a call reads the newest write, within one workspace and model, of every prefix
it shares, as deep as the tokens that it reports as read. The writer's blocks tell how deep a write reaches; counts
may be estimates, so the boundary nearest to the reported count is taken. The write of a call without blocks is taken to
be read by the reads without blocks that follow with the same model, workspace, project, feature and prompt: that is a
belief, and said.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from farthing.prices.engine import price_served
from farthing.reports.attribution import split
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeVar

    from farthing.call import Call
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook

    K = TypeVar("K")

ROUTE = ("project", "feature", "prompt", "prompt_version")
"""What stands for a prompt where its blocks are not known."""

BY_BLOCKS = "read prefixes are known by their hashes"
BY_ROUTE = "no prompt blocks: taken as read by the reads that follow on the same route"
UNREAD = "nobody read it"
NO_PRICE = "the call has no exact price"


class Share(NamedTuple):
    """One call's part: the write premium it was billed, and its fair share of everybody's, in picodollars."""

    call_id: str
    paid_pusd: int
    fair_pusd: int


class FairShares(NamedTuple):
    """
    Write premiums, shared out.

    Attributes:
        shares: Per call that wrote or read the cache, in time order. Both amounts sum to ``premium_pusd``.
        premium_pusd: What all writes cost above plain input.
        reasons: Per reason how many writing calls and what premium; they sum to ``premium_pusd`` but for
            :data:`NO_PRICE`, which has calls alone.
        kind: ``derived`` where every split follows from hashes, else ``assumed``.

    """

    shares: tuple[Share, ...]
    premium_pusd: int
    reasons: dict[str, tuple[int, int]]
    kind: Kind

    def by(self, key_of: Mapping[str, K]) -> dict[K, tuple[int, int]]:
        """Paid and fair per key, given each call id's; the largest payer first."""
        sums: defaultdict[K, list[int]] = defaultdict(lambda: [0, 0])
        for share in self.shares:
            pair = sums[key_of[share.call_id]]
            pair[0] += share.paid_pusd
            pair[1] += share.fair_pusd
        ordered = sorted(sums.items(), key=lambda item: (-item[1][0], -item[1][1], str(item[0])))
        return {key: (paid, fair) for key, (paid, fair) in ordered}


class _Write:
    """What one call wrote up to one breakpoint: *depth* is where it ends, in tokens from the start of the prompt."""

    __slots__ = ("depth", "premium_pusd", "readers", "tokens", "writer")

    def __init__(self, writer: str, depth: int, tokens: int, premium_pusd: int) -> None:
        self.writer = writer
        self.depth = depth
        self.tokens = tokens
        self.premium_pusd = premium_pusd
        self.readers: dict[str, int] = {}


def fair_shares(calls: Iterable[Call], book: PriceBook) -> FairShares:
    """
    Split the premium of every cache write among the calls that read it.

    Args:
        calls: In any order; a read of something written before the first of them is shared by nobody.
        book: Prices them.

    """
    live: dict[tuple[object, ...], _Write] = {}
    writes: list[tuple[_Write, str]] = []
    paid: dict[str, int] = {}
    unpriced = 0
    for call in sorted(calls, key=lambda call: (call.sent_at, call.call_id)):
        usage = call.served.usage
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        if not written and not usage.cache_read_tokens:
            continue
        bill = price_served(book, call.served, call.sent_at)
        premium = _premium(bill)
        unpriced += premium is None and written > 0
        paid[call.call_id] = premium or 0
        known = bool(call.request and call.request.blocks)
        _note_reads(call, live, by_blocks=known)
        if written and premium:
            made = _written_blocks(call, premium) if known else _written_route(call, premium)
            live.update(made)
            writes += [(write, BY_BLOCKS if known else BY_ROUTE) for write in made.values()]
    return _shared(paid, writes, unpriced)


def _shared(paid: dict[str, int], writes: list[tuple[_Write, str]], unpriced: int) -> FairShares:
    fair = dict.fromkeys(paid, 0)
    by_reason: defaultdict[str, tuple[set[str], list[int]]] = defaultdict(lambda: (set(), []))
    for write, how in writes:
        reason = how if write.readers else UNREAD
        by_reason[reason][0].add(write.writer)
        by_reason[reason][1].append(write.premium_pusd)
        for call_id, pusd in split(write.premium_pusd, write.readers or {write.writer: 1}).items():
            fair[call_id] += pusd
    reasons = {reason: (len(writers), sum(premiums)) for reason, (writers, premiums) in by_reason.items()}
    if unpriced:
        reasons[NO_PRICE] = (unpriced, 0)
    shares = tuple(Share(call_id, pusd, fair[call_id]) for call_id, pusd in paid.items())
    kind = Kind.ASSUMED if BY_ROUTE in reasons else Kind.DERIVED
    return FairShares(shares, sum(paid.values()), reasons, kind)


def _premium(bill: Bill) -> int | None:
    """What a bill's cache writes cost above plain input at the same rates; None: unknown."""
    if bill.list_pusd is None:
        return None
    premium = 0
    for component in bill.components:
        fresh, write_5m, write_1h, _, _ = component.band.rates
        if component.billed and component.part == "request" and fresh is not None:
            usage = component.usage
            premium += usage.cache_write_5m_tokens * ((write_5m or fresh) - fresh)
            premium += usage.cache_write_1h_tokens * ((write_1h or fresh) - fresh)
    return premium


def _scope(call: Call) -> tuple[object, ...]:
    """What a cache is isolated by: model and workspace (facts on the Messages API 5.11, checked 2026-11-20)."""
    return call.served.model, call.served.channel, call.dims.get("workspace")


def _route(call: Call) -> tuple[object, ...]:
    return (*_scope(call), *(call.dims.get(name) for name in ROUTE))


def _note_reads(call: Call, live: Mapping[tuple[object, ...], _Write], *, by_blocks: bool) -> None:
    """Add the call to the readers of every live write that it read."""
    read = call.served.usage.cache_read_tokens
    if not read:
        return
    if not by_blocks:
        write = live.get(_route(call))
        if write is not None:
            write.readers[call.call_id] = read
        return
    assert call.request is not None
    scope = _scope(call)
    shared = [live[key] for block in call.request.blocks if (key := (*scope, block.prefix_hash)) in live]
    if not shared:
        return
    deepest = min(shared, key=lambda write: abs(write.depth - read)).depth
    for write in shared:
        if write.depth <= deepest:
            write.readers[call.call_id] = write.tokens


def _written_route(call: Call, premium: int) -> dict[tuple[object, ...], _Write]:
    usage = call.served.usage
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return {_route(call): _Write(call.call_id, usage.cache_read_tokens + written, written, premium)}


def _written_blocks(call: Call, premium: int) -> dict[tuple[object, ...], _Write]:
    """One write per breakpoint past what the call read, the premium split by the tokens between them."""
    assert call.request is not None
    usage = call.served.usage
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    ends = _ends(call, usage.cache_read_tokens)
    if not ends:  # the breakpoint is unknown: the last block is where the write ends
        ends = [(call.request.blocks[-1].prefix_hash, written)]
    tokens = split(written, dict(enumerate(weight for _, weight in ends)))
    premiums = split(premium, tokens)
    made: dict[tuple[object, ...], _Write] = {}
    depth = usage.cache_read_tokens
    for n, (prefix_hash, _) in enumerate(ends):
        depth += tokens[n]
        made[*_scope(call), prefix_hash] = _Write(call.call_id, depth, tokens[n], premiums[n])
    return made


def _ends(call: Call, read: int) -> list[tuple[bytes, int]]:
    """Breakpoints past *read* tokens: prefix hash, and recorded tokens since the one before."""
    assert call.request is not None
    ends: list[tuple[bytes, int]] = []
    depth = start = 0
    for block in call.request.blocks:
        depth += block.tokens
        if block.ttl is None:
            continue
        if depth > read:
            ends.append((block.prefix_hash, depth - max(start, read)))
        start = depth
    return ends
