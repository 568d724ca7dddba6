"""The address holds the whole question: what it says is what was asked, and nothing is left out in silence."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dashboard.asked import Asked, read_asked
from farthing.errors import BadInput

VALUES = st.text(max_size=20)
NAMES = st.sampled_from(["tenant", "feature", "model", "tag:team", "kind"])
ASKED = st.builds(
    Asked,
    path=st.just("/explore"),
    span=st.sampled_from(["", "7d", "2026-10"]),
    zone=st.sampled_from(["UTC", "local", "Europe/Berlin"]),
    by=st.lists(NAMES, max_size=3, unique=True).map(tuple),
    bucket=st.sampled_from([None, "hour", "day", "week", "month"]),
    where=st.lists(st.tuples(NAMES, VALUES), max_size=4, unique=True).map(tuple),
    prices=st.sampled_from([None, "list", "contract"]),
    sort=st.sampled_from(["", "-usd", "calls"]),
    page=st.integers(1, 50),
    open=VALUES,
    format=st.sampled_from(["html", "csv", "json"]),
)


def read(url):
    parts = urlsplit(url)
    return read_asked(parts.path, parse_qsl(parts.query, keep_blank_values=True))


@given(ASKED)
def test_an_address_says_what_was_asked(asked):
    assert read(asked.url(page=asked.page, format=asked.format)) == asked


@given(ASKED)
def test_another_page_keeps_the_days_and_the_filters(asked):
    other = read(asked.elsewhere("/cache"))
    assert (other.path, other.span, other.where, other.zone) == ("/cache", asked.span, asked.where, asked.zone)
    assert (other.by, other.sort, other.page, other.open) == ((), "", 1, "")


def test_a_filter_may_come_as_two_fields_of_a_form():
    asked = read_asked("/", [("where", "tenant=acme"), ("add", "feature"), ("value", "chat")])
    assert asked.filters == {"tenant": ("acme",), "feature": ("chat",)}


@pytest.mark.parametrize(
    "pair",
    [
        ("tenent", "acme"),
        ("where", "tenant"),
        ("where", "tenent=acme"),
        ("by", "nonsense"),
        ("by", "tag:"),
        ("bucket", "fortnight"),
        ("prices", "free"),
        ("format", "pdf"),
        ("page", "0"),
        ("page", "\u0664"),
        ("page", "10001"),
        ("open", "x" * 2001),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_left_out(pair):
    with pytest.raises(BadInput):
        read_asked("/", [pair])


def test_filters_are_bounded():
    with pytest.raises(BadInput):
        read_asked("/", [("where", f"tenant={n}") for n in range(31)])
