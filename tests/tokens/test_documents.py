from __future__ import annotations

import base64
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.tokens import pdf_pages as module
from farthing.tokens.documents import estimate_base64_pdf, estimate_pages, estimate_pdf, page_image_estimate
from farthing.tokens.pdf_pages import PAGES_MAX, pdf_pages
from farthing.units import Kind


def plain_pdf(pages, count=None, *, kids_first=True):
    kids = b" ".join(b"%d 0 R" % (n + 3) for n in range(pages))
    total = b"/Count %d" % (pages if count is None else count)
    tree = (
        b"/Type /Pages /Kids [" + kids + b"] " + total if kids_first else total + b" /Kids [" + kids + b"] /Type/Pages"
    )
    body = b"%PDF-1.4\n1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n2 0 obj << " + tree + b" >> endobj\n"
    for n in range(pages):
        body += b"%d 0 obj << /Type /Page /Parent 2 0 R >> endobj\n" % (n + 3)
    return body + b"%%EOF\n"


def packed_pdf(pages):
    inner = plain_pdf(pages).removeprefix(b"%PDF-1.4\n")
    packed = zlib.compress(inner)
    head = b"%%PDF-1.7\n9 0 obj << /Type /ObjStm /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
    return head + packed + b"\nendstream endobj\n%%EOF\n"


@pytest.mark.parametrize("make", [plain_pdf, lambda pages: plain_pdf(pages, kids_first=False), packed_pdf])
@given(pages=st.integers(1, 40))
def test_agreeing_counts_are_proven(make, pages):
    counted = pdf_pages(make(pages))
    assert (counted.low, counted.high, counted.proven) == (pages, pages, True)


def test_disagreeing_counts_are_a_range():
    counted = pdf_pages(plain_pdf(5, count=7))
    assert (counted.low, counted.high, counted.proven) == (5, 7, False)
    assert "5 page objects" in counted.basis
    assert pdf_pages(plain_pdf(5, count=9_999_999)).high == PAGES_MAX


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"%PDF-1.7 encrypted", b"%PDF-1.7\n/Type /ObjStm >>\nstream\nbroken"])
def test_nothing_visible_is_the_widest_range(data):
    assert pdf_pages(data)[:3] == (1, PAGES_MAX, False)


def test_an_object_stream_cannot_fill_the_memory(monkeypatch):
    monkeypatch.setattr(module, "_UNPACKED_BYTES_MAX", 1_000_000)
    bomb = zlib.compress(b"/Type /Page " * 200_000)
    stream = b"1 0 obj << /Type /ObjStm >>\nstream\n" + bomb + b"\nendstream\n"
    assert sum(map(len, module._unpacked(b"%PDF-1.7\n" + stream * 3))) == 1_000_000
    assert pdf_pages(b"%PDF-1.7\n" + stream * 3).high == PAGES_MAX


@pytest.mark.parametrize(
    "part",
    [b"/Type /Pages /Count ", b"/Type /Pages ", b"/Count 1 ", b"/Type /ObjStm ", b"/Type /ObjStm >>\nstream\n"],
)
def test_no_file_can_make_counting_slow(part):
    """Eight times the file takes about eight times as long; a search through all of it per part takes sixty-four."""

    def spent_s(length):
        data = b"%PDF-1.7\n" + part * (length // len(part))
        started = time.process_time()
        pdf_pages(data)
        return time.process_time() - started

    small_s, large_s = (min(spent_s(length) for _ in range(3)) for length in (250_000, 2_000_000))
    assert large_s < 30 * max(small_s, 0.001)


def test_ten_pages_are_not_five_to_eight_thousand_tokens():
    # Claim 26, recomputed: 10 x (1,500 to 3,000 of text + a page picture of at most 1,568 or 4,784 tokens).
    standard = estimate_pages(10, "standard")
    assert standard.tokens == 10 * (2250 + 1551)
    assert (standard.low, standard.high) == (10 * (1500 + 30 * 38), 10 * (3000 + 1568))
    assert standard.low > 8000
    assert estimate_pages(10, "high").tokens == 10 * (2250 + 2145)
    assert standard.kind is Kind.ASSUMED


def test_a_pdf_costs_its_pages():
    ten = estimate_pdf(plain_pdf(10), "high")
    assert (ten.low, ten.tokens, ten.high) == tuple(
        getattr(estimate_pages(10, "high"), end) for end in ("low", "tokens", "high")
    )
    assert estimate_base64_pdf(base64.b64encode(plain_pdf(10)).decode(), "high") == ten


def test_an_unseen_pdf_says_so():
    unseen = estimate_pdf(None, "standard")
    assert "not proven" in unseen.basis
    assert unseen.high == PAGES_MAX * (3000 + 1568)
    assert estimate_base64_pdf("A", "standard") == unseen


def test_a_page_picture_stays_inside_its_tier():
    assert page_image_estimate("standard").high == 1568
    assert page_image_estimate("high").high == 4784
