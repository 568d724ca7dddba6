"""Lists by neighbours and by cursors: every walk visits every object once."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.sandbox.paging import Query, cursor, list_json, offset_of, rfc3339
from farthing.sandbox.problems import ApiError


def rows(count):
    return [{"id": f"x{at}"} for at in range(count)]


@given(st.integers(0, 30), st.integers(1, 12))
def test_walking_forwards_visits_all_in_order(count, limit):
    seen, more = [], []
    while True:
        page = list_json(rows(count), Query([("limit", str(limit)), *more]))
        seen += page["data"]
        assert len(page["data"]) <= limit
        assert (page["first_id"], page["last_id"]) == (
            (page["data"][0]["id"], page["data"][-1]["id"]) if page["data"] else (None, None)
        )
        if not page["has_more"]:
            break
        more = [("after_id", page["last_id"])]
    assert seen == rows(count)


@given(st.integers(1, 30), st.integers(1, 12))
def test_walking_backwards_visits_all_before(count, limit):
    seen, before = [], f"x{count - 1}"
    while True:
        page = list_json(rows(count), Query([("limit", str(limit)), ("before_id", before)]))
        seen = page["data"] + seen
        if not page["has_more"]:
            break
        before = page["first_id"]
    assert seen == rows(count)[:-1]


@pytest.mark.parametrize(
    "pairs",
    [
        [("limit", "0")],
        [("limit", "1001")],
        [("limit", "-1")],
        [("limit", "ten")],
        [("limit", "٣")],
        [("after_id", "nobody")],
        [("after_id", "x1"), ("before_id", "x2")],
    ],
)
def test_a_list_that_cannot_be_is_a_400(pairs):
    with pytest.raises(ApiError) as caught:
        list_json(rows(5), Query(pairs))
    assert caught.value.status == 400


@given(st.integers(0, 10**9))
def test_a_cursor_comes_back(offset):
    assert offset_of(cursor(offset)) == offset


@pytest.mark.parametrize("page", ["", "page_", "page_!!", "page_LTE", "page_" + "9" * 500, "page_é"])
def test_a_stranger_is_no_cursor(page):
    with pytest.raises(ApiError):
        offset_of(page)


def test_a_list_comes_with_or_without_brackets():
    query = Query([("models[]", "a"), ("models", "b"), ("model", "c")])
    assert query.many("models") == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["2026-11-20", "2026-11-20T00:00:00Z", "2026-11-20T01:00:00+01:00", "2026-11-20T00:00:00"]
)
def test_a_time_is_read_in_utc_and_written_with_a_z(text):
    at = Query([("starting_at", text)]).moment("starting_at")
    assert at == datetime(2026, 11, 20, tzinfo=UTC)
    assert rfc3339(at) == "2026-11-20T00:00:00Z"
