"""
What a document costs: a PDF's pages, each as its text plus its picture; plain text as itself.

Source: PDF page, snapshot 2026-08-22 (facts: claude-api 7.3): each page costs its text, typically 1,500 to 3,000
tokens, and the page rendered as an image. The size it is rendered at is not published.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from farthing.tokens.figure import Estimate, total, within
from farthing.tokens.images import LIMITS, image_tokens
from farthing.tokens.pdf_pages import PAGES_MAX, PageCount, pdf_pages

if TYPE_CHECKING:
    from farthing.tokens.models import ImageTier

_PAGE_TEXT = within(1500, 2250, 3000, "1,500 to 3,000 tokens of text a page, as published for typical ones")
_A4_SCAN_PX = (1075, 1520)  # the vision page's own example of a page
_LETTER_AT_96_DPI_PX = (816, 1056)  # smallest rendering that still reads well: our belief

_UNSEEN_PAGES = PageCount(1, PAGES_MAX, proven=False, basis="the file is not in the request")
_TYPICAL_UNSEEN_PAGES = 10  # our belief, for a file whose pages nobody can count


def page_estimate(tier: ImageTier) -> Estimate:
    """One typical page: text and picture. Pages with little text, or a large table, fall outside."""
    return total([_PAGE_TEXT, page_image_estimate(tier)])


def page_image_estimate(tier: ImageTier) -> Estimate:
    """The picture of one page; ``assumed``, as the rendered size is not published."""
    return within(
        image_tokens(*_LETTER_AT_96_DPI_PX, tier),
        image_tokens(*_A4_SCAN_PX, tier),
        LIMITS[tier].tokens_max,
        "page picture of unpublished size, taken as an A4 scan of 1075x1520",
    )


def estimate_pages(pages: int, tier: ImageTier) -> Estimate:
    """
    A PDF known to have this many pages.

    >>> estimate_pages(10, "standard").tokens  # not the 5,000 to 8,000 that guides print
    38010
    """
    return page_estimate(tier).times(pages)


def estimate_pdf(data: bytes | None, tier: ImageTier) -> Estimate:
    """A PDF by its bytes; None where the request only names it (URL, file id), which gives a very wide range."""
    counted = _UNSEEN_PAGES if data is None else pdf_pages(data)
    page = page_estimate(tier)
    if counted.proven:
        basis = f"{counted.low} pages, {counted.basis}; {page.basis}"
        return within(page.low * counted.low, page.tokens * counted.low, page.high * counted.low, basis)
    hidden = (counted.low, counted.high) == (1, PAGES_MAX)
    middle = _TYPICAL_UNSEEN_PAGES if hidden else counted.high
    basis = f"pages not proven ({counted.basis}), taken as {middle}; {page.basis}"
    return within(page.low * counted.low, page.tokens * middle, page.high * counted.high, basis)


def estimate_base64_pdf(data: str, tier: ImageTier) -> Estimate:
    """As :func:`estimate_pdf`; text that is no base64 counts as unseen."""
    try:
        return estimate_pdf(binascii.a2b_base64(data), tier)
    except (binascii.Error, ValueError):
        return estimate_pdf(None, tier)
