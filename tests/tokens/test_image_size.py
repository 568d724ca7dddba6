from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.tokens.image_size import base64_image_size, image_size


def png(width, height):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x06\x00\x00\x00" + b"crc."


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00"


def jpeg(width, height, metadata=b"Exif" * 4):
    app1 = b"\xff\xe1" + struct.pack(">H", len(metadata) + 2) + metadata
    tables = b"\xff\xc4" + struct.pack(">H", 5) + b"abc"  # a Huffman table must not be read as a frame
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8" + app1 + tables + b"\xff" + frame


def webp(chunk, body):
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(body)) + b"WEBP" + chunk + struct.pack("<I", len(body)) + body


def webp_lossy(width, height):
    return webp(b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height))


def webp_lossless(width, height):
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14))


def webp_extended(width, height):
    body = b"\x10\x00\x00\x00" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", body)


MAKERS = [png, gif, jpeg, webp_lossy, webp_lossless, webp_extended]
side = st.integers(1, 8000)


@pytest.mark.parametrize("make", MAKERS)
@given(width=side, height=side)
def test_every_format_gives_its_size(make, width, height):
    assert image_size(make(width, height)) == (width, height)
    assert base64_image_size(base64.b64encode(make(width, height) + b"rest" * 9).decode()) == (width, height)


@pytest.mark.parametrize("make", MAKERS)
def test_cut_short_is_none_or_right_never_wrong(make):
    whole = make(300, 200)
    for length in range(len(whole)):
        assert image_size(whole[:length]) in {None, (300, 200)}


def test_jpeg_with_metadata_larger_than_the_prefix():
    picture = jpeg(640, 480)
    segments = b"".join(b"\xff\xe2" + struct.pack(">H", 65535) + b"\xff" * 65533 for _ in range(3))
    data = base64.b64encode(picture[:2] + segments + picture[2:]).decode()
    assert base64_image_size(data) == (640, 480)


@pytest.mark.parametrize(
    "data", ["", "not base64 !", "AAAA", "\u00e9\u00e9\u00e9\u00e9", base64.b64encode(png(0, 9)).decode()]
)
def test_what_is_no_image_has_no_size(data):
    assert base64_image_size(data) is None


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF1234WEBPVP8 "])
)
def test_strangers_bytes_never_raise(rest, start):
    size = image_size(start + rest)
    assert size is None or min(size) >= 1
