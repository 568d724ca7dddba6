"""The Models API on both sides of each of a model's days."""

from datetime import date, timedelta

import pytest

from farthing.prices.book import shipped_book
from farthing.sandbox.models import get_model, list_models, with_fallbacks
from farthing.sandbox.problems import ApiError

DAY = timedelta(days=1)
BOOK = shipped_book()
OPUS_3 = "claude-3-opus-20240229"  # deprecated 2025-06-30, retired 2026-01-05


@pytest.mark.parametrize(
    ("on", "lifecycle"),
    [
        (date(2025, 6, 29), "active"),
        (date(2025, 6, 30), "deprecated"),
        (date(2026, 1, 4), "deprecated"),
        (date(2026, 1, 5), "retired"),
    ],
)
def test_a_life_has_its_days(on, lifecycle):
    shown = get_model(BOOK, OPUS_3, on)
    assert shown["lifecycle"] == lifecycle
    assert shown["deprecated_at"] == (None if lifecycle == "active" else "2025-06-30T00:00:00Z")
    assert shown["retires_at"] == (None if lifecycle == "active" else "2026-01-05T00:00:00Z")


def test_no_model_is_there_before_its_release():
    for model in BOOK.models:
        if model.released and model.ids.claude_api:
            assert get_model(BOOK, model.id, model.released)["id"] == model.id
            with pytest.raises(ApiError):
                get_model(BOOK, model.id, model.released - DAY)
            assert model.id not in [shown["id"] for shown in list_models(BOOK, model.released - DAY)]


def test_the_list_is_newest_first_and_has_no_prices():
    shown = list_models(BOOK, date(2026, 11, 20))
    dates = [one["created_at"] for one in shown]
    assert dates == sorted(dates, reverse=True)
    assert not any("price" in key or "usd" in key for one in shown for key in one)


@pytest.mark.parametrize("wanted", ["claude-9", "", "x" * 5000, "anthropic.claude-opus-5-5"])
def test_a_stranger_is_a_404(wanted):
    with pytest.raises(ApiError) as caught:
        get_model(BOOK, wanted, date(2026, 11, 20))
    assert caught.value.status == 404


def test_capabilities_are_what_the_documentation_says_and_no_more():
    def thinking(model):
        types = get_model(BOOK, model, date(2026, 11, 20))["capabilities"]["thinking"]["types"]
        return {kind for kind, one in types.items() if one["supported"]}

    # facts: claude-api 0.3
    assert thinking("claude-fable-5-2") == {"adaptive"}
    assert thinking("claude-opus-5") == {"adaptive", "between_tools", "disabled"}
    assert thinking("claude-opus-4-6") == {"adaptive", "disabled", "enabled"}
    assert thinking("claude-haiku-4-5") == {"disabled", "enabled"}
    shown = get_model(BOOK, "claude-sonnet-5", date(2026, 11, 20))["capabilities"]
    assert (set(shown), shown["batch"]) == ({"batch", "thinking"}, {"supported": True})
    assert "thinking" not in get_model(BOOK, OPUS_3, date(2025, 1, 1))["capabilities"]


def test_the_fallback_beta_names_the_other_models():
    on = date(2026, 11, 20)
    shown = with_fallbacks(get_model(BOOK, "claude-fable-5-1", on), BOOK, on)
    assert "claude-opus-5" in shown["allowed_fallback_models"]
    assert not {"claude-fable-5-1", OPUS_3} & set(shown["allowed_fallback_models"])
