"""
What an image costs in tokens: exact, by the published rule, from its width and height alone.

An image is scaled down until it fits its model's tier, padded to whole 28-pixel patches, and costs one token per patch.
Source: vision page, snapshot 2026-08-22 (facts: claude-api 7.2). The older ``width * height / 750`` is superseded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.tokens.figure import Estimate, exactly, within

if TYPE_CHECKING:
    from farthing.tokens.models import ImageTier

PATCH_PX = 28


class Limits(NamedTuple):
    """The largest image a tier takes without scaling: longest padded edge, and patches in all."""

    edge_px_max: int
    tokens_max: int


LIMITS: dict[ImageTier, Limits] = {"standard": Limits(1568, 1568), "high": Limits(2576, 4784)}

_TYPICAL_UNSEEN: dict[ImageTier, int] = {"standard": 1560, "high": 2691}
"""A 1920x1080 screen, assumed where an image's size cannot be seen (a URL, a file id)."""


def image_tokens(width_px: int, height_px: int, tier: ImageTier) -> int:
    """
    Tokens of an image of this size: exact, never above the tier's maximum.

    Args:
        width_px: >= 1, as stored; orientation flags do not matter, the rule is symmetric.
        height_px: >= 1.
        tier: The model's, see :attr:`~farthing.tokens.models.Traits.image_tier`.

    """
    return _patches(*resized(width_px, height_px, tier))


def resized(width_px: int, height_px: int, tier: ImageTier) -> tuple[int, int]:
    """
    The size that the model sees before padding; the image's own where it fits, for nothing is scaled up.

    The search is the published binary one. A linear scan can end elsewhere, for fitting is not monotone in the side.
    """
    assert width_px >= 1, "an image has a width"
    assert height_px >= 1, "an image has a height"
    limits = LIMITS[tier]
    if _fits(width_px, height_px, limits):
        return width_px, height_px
    long, short = max(width_px, height_px), min(width_px, height_px)
    aspect = long / short
    low, high = 1, long
    while low + 1 < high:
        middle = (low + high) // 2
        if _fits(middle, _short_side(middle, aspect), limits):
            low = middle
        else:
            high = middle
    side = _short_side(low, aspect)
    return (low, side) if width_px >= height_px else (side, low)


def estimate_image(size_px: tuple[int, int] | None, tier: ImageTier) -> Estimate:
    """The tokens of one image; None says that its size cannot be seen from the request, which gives a wide range."""
    if size_px is None:
        basis = "image of unseen size, taken as a 1920x1080 screen; from one patch to the tier's maximum"
        return within(1, _TYPICAL_UNSEEN[tier], LIMITS[tier].tokens_max, basis)
    return exactly(image_tokens(*size_px, tier), "28-pixel patches")


def _short_side(long_px: int, aspect: float) -> int:
    return max(round(long_px / aspect), 1)  # Python rounds half to even, as the live API does


def _patches(width_px: int, height_px: int) -> int:
    return -(-width_px // PATCH_PX) * -(-height_px // PATCH_PX)


def _fits(width_px: int, height_px: int, limits: Limits) -> bool:
    padded_edge_px = -(-max(width_px, height_px) // PATCH_PX) * PATCH_PX
    return padded_edge_px <= limits.edge_px_max and _patches(width_px, height_px) <= limits.tokens_max
