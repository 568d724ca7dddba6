"""Who wrote and who read which prefix, on conversations that are small enough to follow by hand."""

from datetime import UTC, datetime, timedelta

from farthing.call import Call, PromptBlock, Request, Served, Usage
from farthing.reports.prefix_use import prefix_uses

AT = datetime(2026, 11, 18, 9, tzinfo=UTC)
SYSTEM, FIRST, SECOND, THIRD = (bytes([n]) * 16 for n in range(1, 5))


def call_of(usage, *blocks, automatic=False, number=0):
    """Blocks are (hash, tokens, lifetime or None)."""
    made = tuple(
        PromptBlock(prefix_hash=one, tokens=tokens, section="system" if one == SYSTEM else "messages", ttl=ttl)
        for one, tokens, ttl in blocks
    )
    request = Request(blocks=made, cache_automatic=automatic) if blocks else None
    served = Served(model="m", usage=Usage(**usage))
    return Call(call_id=str(number), sent_at=AT + timedelta(seconds=number), source="x", served=served, request=request)


def told(uses):
    return [(one.section, one.block, one.ttl, one.tokens, one.writers, one.readers) for one in uses.prefixes]


def test_a_conversation_that_grows():
    uses = prefix_uses(
        [
            call_of({"cache_write_5m_tokens": 1100}, (SYSTEM, 1000, "1h"), (FIRST, 90, "5m")),
            call_of(
                {"cache_read_tokens": 1100, "cache_write_5m_tokens": 55},
                (SYSTEM, 1000, "1h"),
                (FIRST, 90, None),
                (SECOND, 50, "5m"),
            ),
            call_of({"cache_read_tokens": 990}, (SYSTEM, 1000, "1h"), (THIRD, 40, None)),
        ]
    )
    assert told(uses) == [
        ("system", 1, "1h", 1000, [1], [3]),
        ("messages", 2, "5m", 1100, [1], [2]),
        ("messages", 3, "5m", 1155, [2], []),
    ]
    assert [one.read_tokens for one in uses.prefixes] == [990, 1100, 0]
    assert uses.read == {2: uses.prefixes[1], 3: uses.prefixes[0]}


def test_an_expired_prefix_is_written_again():
    one = call_of({"cache_write_5m_tokens": 1000}, (SYSTEM, 1000, "5m"))
    assert told(prefix_uses([one, one])) == [("system", 1, "5m", 1000, [1, 2], [])]


def test_what_nobody_here_wrote_is_not_known():
    uses = prefix_uses([call_of({"cache_read_tokens": 500}, (SYSTEM, 500, "5m")), call_of({"cache_read_tokens": 5})])
    assert uses.prefixes == []
    assert uses.read == {1: None, 2: None}


def test_automatic_caching_ends_with_the_last_block_that_can_be_cached():
    uses = prefix_uses(
        [call_of({"cache_write_1h_tokens": 700}, (SYSTEM, 600, None), (FIRST, 100, None), automatic=True)]
    )
    assert told(uses) == [("messages", 2, "1h", 700, [1], [])]


def test_a_writer_without_blocks_tells_nothing():
    assert prefix_uses([call_of({"cache_write_5m_tokens": 9})]).prefixes == []
