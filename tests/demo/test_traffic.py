"""The demo month: totals of the published example to the token, a plausible shape, and the same bytes every time."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from farthing.demo import DAYS, GENERATIONS, calls, traffic
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.usage.messages import read_message

END = date(2026, 6, 1)
HAIKU, SONNET, OPUS = "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "claude-opus-4-6"

# Claim 16: calls, input tokens, output tokens; a mix of 90 % and 10 % is one of calls and of both token totals.
CLAIMED = {
    ("content-assistant", SONNET): (308, 1_260_000, 459_000),
    ("content-assistant", OPUS): (34, 140_000, 51_000),
    ("code-review-bot", HAIKU): (1_060, 8_415_000, 850_000),
    ("code-review-bot", SONNET): (187, 1_485_000, 150_000),
    ("email-classifier", HAIKU): (2_891, 5_800_000, 1_700_000),
}


@pytest.fixture(scope="module")
def rows():
    return traffic(END)


def prompt_tokens(row):
    usage = row["usage"]
    return sum(usage[name] for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"))


def sums(rows):
    found = {}
    for row in rows:
        key = (row["tags"]["project"], row["model"])
        number, prompts, outputs = found.get(key, (0, 0, 0))
        found[key] = (number + 1, prompts + prompt_tokens(row), outputs + row["usage"]["output_tokens"])
    return found


def at(row):
    return datetime.fromisoformat(row["at"])


@pytest.mark.parametrize("seed", [16, 1, 2, 3])
def test_the_totals_are_those_of_the_claim_whatever_the_seed(seed):
    assert sums(traffic(END, seed=seed)) == CLAIMED


def test_without_cache_batch_and_searches_it_costs_what_the_claim_recomputed_says(rows):
    usd_per_mtok = {HAIKU: (1, 5), SONNET: (3, 15), OPUS: (5, 25)}
    bills = Counter()
    for (application, model), (_, prompts, outputs) in sums(rows).items():
        per_input, per_output = usd_per_mtok[model]
        bills[application] += Decimal(prompts * per_input + outputs * per_output) / 10**6
    assert bills == {
        "content-assistant": Decimal("12.64"),
        "code-review-bot": Decimal("19.37"),
        "email-classifier": Decimal("14.3"),
    }
    assert bills.total() == Decimal("46.31")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(rows):
    assert msgspec.json.encode(traffic(END)) == msgspec.json.encode(rows)
    assert msgspec.json.encode(traffic(END, seed=17)) != msgspec.json.encode(rows)


def test_another_end_moves_the_month():
    (first, *_), (*_, last) = traffic(date(2026, 9, 15)), traffic(date(2026, 9, 15))
    assert datetime(2026, 8, 16, tzinfo=UTC) <= at(first) < datetime(2026, 8, 17, tzinfo=UTC)
    assert datetime(2026, 9, 14, tzinfo=UTC) <= at(last) < datetime(2026, 9, 15, tzinfo=UTC)


def test_every_day_has_traffic_and_none_lies_outside(rows):
    days = {at(row).date() for row in rows}
    assert days == {END - timedelta(days=day) for day in range(1, DAYS + 1)}


def test_rows_come_in_order_with_ids_of_their_own(rows):
    assert [at(row) for row in rows] == sorted(at(row) for row in rows)
    assert len({row["id"] for row in rows}) == len(rows) == 342 + 1_247 + 2_891


def test_people_work_on_weekdays_and_by_day(rows):
    assistant = [at(row) for row in rows if row["tags"]["project"] == "content-assistant"]
    weekdays = sum(moment.weekday() < 5 for moment in assistant)
    by_day = sum(8 <= moment.hour <= 18 for moment in assistant)
    assert weekdays > 0.9 * len(assistant)
    assert by_day > 0.8 * len(assistant)


def test_sizes_have_a_long_tail(rows):
    sizes = sorted(prompt_tokens(row) for row in rows if row["tags"]["project"] == "code-review-bot")
    mean, median = sum(sizes) / len(sizes), sizes[len(sizes) // 2]
    assert mean > 1.05 * median
    assert sizes[-1] > 3 * median


def test_every_usage_is_read_and_priced(rows):
    book = shipped_book()
    for row in rows:
        served = read_message(row)
        assert served.notes == ()
        assert price_served(book, served, at(row)).unpriced == ()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_cached_prefixes_are_long_enough_for_their_model(generation):
    written = {}
    for row in traffic(END, generation=generation):
        tokens = row["usage"]["cache_creation_input_tokens"]
        if tokens:
            written[row["model"]] = min(tokens, written.get(row["model"], tokens))
    minimum = {m.id: m.cacheable_prefix.tokens_min for m in shipped_book().models if m.id in written}
    assert written
    assert minimum.keys() == written.keys()
    assert all(written[model] >= tokens_min for model, tokens_min in minimum.items())


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_models_of_a_generation_state_what_the_price_book_says(generation):
    book = {model.id: model.cacheable_prefix.tokens_min for model in shipped_book().models}
    assert all(book[model.id] == model.cacheable_prefix_tokens_min for model in GENERATIONS[generation].values())


def test_the_classifiers_prompt_is_too_short_for_its_model_to_cache(rows):
    classifier = [row["usage"] for row in rows if row["tags"]["project"] == "email-classifier"]
    assert {usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"] for usage in classifier} == {0}


def test_a_prefix_is_read_within_its_lifetime_and_written_again_after_it(rows):
    lifetimes = {"content-assistant": timedelta(minutes=5), "code-review-bot": timedelta(hours=1)}
    used, seen = {}, Counter()
    for row in rows:
        usage, application = row["usage"], row["tags"]["project"]
        read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        if not read + written:
            continue
        prefix = (row["model"], application, row["tags"]["prompt_version"])
        cold = prefix not in used or at(row) - used[prefix] >= lifetimes[application]
        assert (written > 0, read > 0) == (cold, not cold)
        used[prefix] = at(row)
        seen[application, "write" if cold else "read"] += 1
    assert all(seen[application, use] > 20 for application in lifetimes for use in ("read", "write"))


def test_writes_say_their_lifetime(rows):
    splits = {row["tags"]["project"]: Counter() for row in rows}
    for row in rows:
        splits[row["tags"]["project"]].update(row["usage"]["cache_creation"])
    assert splits["content-assistant"]["ephemeral_5m_input_tokens"] > 0
    assert splits["content-assistant"]["ephemeral_1h_input_tokens"] == 0
    assert splits["code-review-bot"]["ephemeral_1h_input_tokens"] > 0
    assert splits["code-review-bot"]["ephemeral_5m_input_tokens"] == 0


def test_there_are_batch_calls_searches_and_refusals(rows):
    batch = [row for row in rows if row["usage"]["service_tier"] == "batch"]
    assert {row["tags"]["project"] for row in batch} == {"email-classifier"}
    assert 0.04 < len(batch) / 2_891 < 0.12
    searching = [row for row in rows if "server_tool_use" in row["usage"]]
    assert {row["tags"]["project"] for row in searching} == {"content-assistant"}
    refused = [row for row in rows if row["stop_reason"] == "refusal"]
    assert [row["usage"]["output_tokens"] for row in refused] == [0, 0, 0]
    assert all(row["usage"]["output_tokens"] > 0 for row in rows if row["stop_reason"] == "end_turn")


def test_the_prompt_changes_its_version_in_the_month(rows):
    new_from = END - timedelta(days=DAYS - 18)
    assert all((at(row).date() >= new_from) == (row["tags"]["prompt_version"] == "v2") for row in rows)


def test_an_unknown_model_is_one_row_more_and_unpriced(rows):
    more = traffic(END, unknown_model=True)
    (added,) = [row for row in more if row not in rows]
    assert len(more) == len(rows) + 1
    assert price_served(shipped_book(), read_message(added), at(added)).list_pusd is None


def test_calls_are_the_same_month(rows):
    made = list(calls(END))
    assert [call.call_id for call in made] == [row["id"] for row in rows]
    assert [call.sent_at for call in made] == [at(row) for row in rows]
    assert [call.served.usage.prompt_tokens for call in made] == [prompt_tokens(row) for row in rows]
    assert all(call.dims == row["tags"] for call, row in zip(made, rows, strict=True))
    assert {call.source for call in made} == {"demo"}
