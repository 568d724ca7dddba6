from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.tokens.images import LIMITS, estimate_image, image_tokens, resized
from farthing.units import Kind

# The table of the vision page (facts: claude-api 7.2): width, height, tokens per tier.
PUBLISHED = [
    (200, 200, 64, 64),
    (1000, 1000, 1296, 1296),
    (1092, 1092, 1521, 1521),
    (1075, 1520, 1551, 2145),
    (1920, 1080, 1560, 2691),
    (2000, 1500, 1564, 3888),
    (3840, 2160, 1560, 4784),
]
side = st.integers(1, 9000)
tier = st.sampled_from(["standard", "high"])


@pytest.mark.parametrize(("width", "height", "standard", "high"), PUBLISHED)
def test_published_table(width, height, standard, high):
    assert image_tokens(width, height, "standard") == standard
    assert image_tokens(width, height, "high") == high


@pytest.mark.parametrize(
    ("size", "tier", "seen"),
    [
        ((1075, 1520), "standard", (924, 1307)),
        ((1920, 1080), "standard", (1456, 819)),
        ((2000, 1500), "standard", (1270, 952)),
        ((3840, 2160), "standard", (1456, 819)),
        ((3840, 2160), "high", (2576, 1449)),
    ],
)
def test_published_sizes_after_scaling(size, tier, seen):
    assert resized(*size, tier) == seen


@given(side, side, tier)
def test_never_above_the_maximum_nor_below_one_patch(width, height, tier):
    assert 1 <= image_tokens(width, height, tier) <= LIMITS[tier].tokens_max


@given(side, side, tier)
def test_never_scaled_up_and_always_fits(width, height, tier):
    seen_width, seen_height = resized(width, height, tier)
    assert 1 <= seen_width <= width
    assert 1 <= seen_height <= height
    assert max(seen_width, seen_height) <= LIMITS[tier].edge_px_max


@given(side, side, tier)
def test_the_shape_is_kept_to_half_a_pixel(width, height, tier):
    seen = resized(width, height, tier)
    if seen != (width, height):
        aspect = max(width, height) / min(width, height)
        assert min(seen) == 1 or abs(min(seen) - max(seen) / aspect) <= 0.5


@given(side, side, tier)
def test_orientation_does_not_matter(width, height, tier):
    assert image_tokens(width, height, tier) == image_tokens(height, width, tier)


@given(st.integers(1, 1092), st.integers(1, 1092), tier)
def test_small_images_are_left_alone(width, height, tier):
    assert resized(width, height, tier) == (width, height)
    assert image_tokens(width, height, tier) == ((width + 27) // 28) * ((height + 27) // 28)


def test_seen_size_is_exact_and_unseen_is_a_range():
    seen = estimate_image((1000, 1000), "high")
    assert (seen.low, seen.tokens, seen.high, seen.kind) == (1296, 1296, 1296, Kind.DERIVED)
    unseen = estimate_image(None, "high")
    assert (unseen.low, unseen.high, unseen.kind) == (1, 4784, Kind.ASSUMED)


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_no_size_of_zero(size):
    with pytest.raises(AssertionError):
        image_tokens(*size, "standard")
