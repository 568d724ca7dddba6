"""Content codings: whatever packs an answer is undone, in whatever pieces it comes, and never in one huge piece."""

import gzip
import random
import sys
import zlib
from functools import partial

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.gateway.codings import READABLE, UnknownCoding, unpacker
from farthing.gateway.headers import readable_codings
from farthing.gateway.meters import HeldBody, PackedTooTight, decoded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": partial(brotli.compress, quality=5),  # at its best it takes half a minute for what is below
    b"zstd": zstd.compress,
}
PIECE_BYTES_MAX = 256 * 2**10


def unpacked(coding, chunks):
    reader = unpacker(coding)
    pieces = [piece for chunk in chunks for piece in reader.pieces(chunk)]
    assert max(map(len, pieces), default=0) <= PIECE_BYTES_MAX
    return b"".join(pieces)


def test_what_is_offered_upstream_can_be_read():
    assert {*PACK, b"identity"} == READABLE
    assert readable_codings(b", ".join(PACK)) == b", ".join(PACK)
    assert [unpacker(coding) for coding in (b"", b"identity", b" Identity ")] == [None] * 3


@pytest.mark.parametrize("coding", PACK)
@given(
    plain=st.one_of(st.binary(), st.builds(lambda piece, times: piece * times, st.binary(), st.integers(0, 5_000))),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_in_whatever_pieces_it_comes(coding, plain, sizes):
    packed, chunks, number = PACK[coding](plain), [], 0
    while packed:
        size = sizes[number % len(sizes)]
        chunks.append(packed[:size])
        packed, number = packed[size:], number + 1
    assert unpacked(coding, chunks) == plain


@pytest.mark.parametrize("coding", PACK)
def test_a_long_body_in_few_bytes_comes_in_pieces_of_bounded_size(coding):
    plain = b"0" * 30_000_000 + b"end"
    packed = PACK[coding](plain)
    assert unpacked(coding, [packed]) == plain
    assert unpacked(coding, [packed[at : at + 1] for at in range(len(packed))]) == plain


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_of_several_parts_all_are_read(coding):
    packed = b"".join(PACK[coding](part) for part in (b"one", b"", b"two" * 100_000))
    plain = b"one" + b"two" * 100_000
    assert unpacked(coding, [packed]) == plain
    assert unpacked(coding, [packed[at : at + 1] for at in range(len(packed))]) == plain


@pytest.mark.parametrize("coding", PACK)
def test_what_is_cut_gives_what_it_can_and_what_is_damaged_fails(coding):
    plain = bytes(range(256)) * 4_000
    packed = PACK[coding](plain)
    assert plain.startswith(unpacked(coding, [packed[:-20]]))
    with pytest.raises((zlib.error, brotli.error, zstd.ZstdError)):
        unpacked(coding, [b"no such packing " * 50])


def test_a_sender_cannot_ask_for_a_huge_window():
    plain = b"0" * 100
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    packed = compressor.compress(plain) + compressor.flush()
    with pytest.raises(zstd.ZstdError):
        unpacked(b"zstd", [packed])


@pytest.mark.parametrize("coding", PACK)
def test_a_body_that_comes_to_far_more_than_was_sent_is_read_no_further(coding):
    held = HeldBody(2**30)
    meter = decoded(held, coding)
    with pytest.raises(PackedTooTight):
        meter.feed(PACK[coding](b"0" * 100_000_000))
    assert len(held.whole()) < 140 * 2**20 / 4  # of zlib's 97,000 bytes 200 times as much, and 8 MB
    dense = random.Random(1).randbytes(3_000_000)
    held = HeldBody(2**30)
    decoded(held, coding).feed(PACK[coding](dense + b"0" * 20_000_000))
    assert held.whole() == dense + b"0" * 20_000_000


@pytest.mark.parametrize("coding", [b"dcb", b"gzip, br", b"compress", b"\xff"])
def test_what_cannot_be_undone_is_said(coding):
    with pytest.raises(UnknownCoding):
        unpacker(coding)
