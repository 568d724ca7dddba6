"""
Every published interval, against the collected price facts, by arithmetic of its own.

Nothing here reads a rate through farthing: rows, dates, bands, ids and multipliers come straight from ``prices.json``,
sums are fractions.
"""

import json
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import product
from typing import NamedTuple

import pytest

from farthing.call import Served, Usage
from farthing.prices.book import DATA, shipped_book
from farthing.prices.engine import price_served

pytestmark = pytest.mark.shared_data

CLASSES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
COUNT_OF = dict(zip(CLASSES, Usage.__struct_fields__[:5], strict=True))
AS_OF = date(2026, 11, 20)
LONG_AGO = date(2023, 1, 15)
BATCH_FROM = date(2024, 10, 8)
GEO_FROM = date(2026, 2, 5)
REGIONAL_FROM = date(2025, 9, 29)
PREFIXES = ("us.", "eu.", "apac.", "au.", "jp.", "us-gov.", "global.")


@pytest.fixture(scope="module")
def facts(shared_data):
    return json.loads((shared_data.parent / "facts" / "prices.json").read_text())


class Asked(NamedTuple):
    """One request on one day, and what decides its price."""

    served: Served
    day: date
    channel: str
    endpoint: str | None


def day_of(text):
    return None if text is None else date.fromisoformat(text)


def rows_on(model, asked):
    """The published rows for one request; a row for its channel alone goes before a general one."""
    served = asked.served
    prompt = served.usage.prompt_tokens
    found = []
    for row in model["rates"]:
        begins, ends = day_of(row["from"]) or date.min, day_of(row["to"]) or date.max
        band = row["prompt_tokens"] or {"over": -1, "up_to": None}
        over = band["over"] or -1
        in_band = over < prompt and (band["up_to"] is None or prompt <= band["up_to"])
        on_channel = row.get("channel", "any").split()[0] in ("any", asked.channel)
        if begins <= asked.day < ends and row["speed"] == served.speed and in_band and on_channel:
            found.append(row)
    own = [row for row in found if "channel" in row]
    return own or found


def factor(model, asked):
    """The product of the multipliers, or None where no price was published."""
    served, applies, product_ = asked.served, model["applies"], Fraction(1)
    if served.service_tier == "batch":
        refused = served.speed == "fast" or asked.channel == "google_cloud" or asked.day < BATCH_FROM
        if refused or applies["batch_50pct"] is not True:
            return None
        product_ /= 2
    if served.inference_geo == "us":
        operated_by_a_partner = asked.channel in {"bedrock", "google_cloud"}  # data_residency.channels names neither
        if applies["inference_geo_us_1_1x"] is not True or asked.day < GEO_FROM or operated_by_a_partner:
            return None
        product_ *= Fraction(11, 10)
    premium = applies["partner_cloud_regional_premium_10pct"]
    if asked.endpoint == "regional" and premium is not False:
        if premium is None:
            return None
        if asked.day >= REGIONAL_FROM:
            product_ *= Fraction(11, 10)
    return product_


def published_pusd(model, asked):
    """What the facts say this request costs, in picodollars, or None where they do not say."""
    multiplied, rows = factor(model, asked), rows_on(model, asked)
    if multiplied is None or not rows:
        return None
    assert len(rows) == 1, f"the facts price {asked} twice"
    total = Fraction(0)
    for name in CLASSES:
        count = getattr(asked.served.usage, COUNT_OF[name])
        rate = rows[0][name]
        if count and rate is None:
            return None
        total += count * Fraction(rate or 0) * 10**6 * multiplied
    assert total.denominator == 1, f"a published price is finer than a picodollar: {asked}"
    return int(total)


def our_pusd(asked):
    bill = price_served(shipped_book(), asked.served, datetime.combine(asked.day, time(12), UTC))
    assert bill.list_pusd is not None or bill.unpriced, "no price and no reason"
    if bill.list_pusd is not None:
        assert sum(line.pusd for line in bill.lines) == bill.list_pusd
    return bill.list_pusd


def disagreements(asks):
    compared = [(asked, published_pusd(model, asked), our_pusd(asked)) for model, asked in asks]
    assert any(published for _, published, _ in compared)
    return len(compared), [entry for entry in compared if entry[1] != entry[2]]


def days_around(model):
    """Both sides of every date on which a row begins or ends, and a day well inside."""
    days = {LONG_AGO, AS_OF}
    for row in model["rates"]:
        for edge in (day_of(row["from"]), day_of(row["to"])):
            if edge:
                days |= {edge - timedelta(days=1), edge}
    return sorted(days)


def prompts_around(model):
    """A small prompt, and every band edge: exactly at it and one token above."""
    prompts = {1_000}
    for row in model["rates"]:
        band = row["prompt_tokens"] or {}
        for edge in (band.get("over"), band.get("up_to")):
            if edge:
                prompts |= {edge, edge + 1}
    return sorted(prompts)


def usages_of(prompt):
    """Each class alone where it can be, and all at once, with exactly this many prompt tokens."""
    for name in CLASSES[:4]:
        yield Usage(**{COUNT_OF[name]: prompt})
    yield Usage(input_tokens=prompt, output_tokens=777)
    yield Usage(prompt - 600, 100, 200, 300, 401)


def api_ids(model):
    ids = model["ids"]["claude_api"]
    return [ids["id"], *ids["aliases"]]


def test_every_class_band_and_speed_on_both_sides_of_every_date(facts):
    asks = (
        (model, Asked(Served(model=name, usage=usage, speed=speed), day, "claude_api", None))
        for model in facts["models"]
        for name in api_ids(model)
        for day, prompt, speed in product(days_around(model), prompts_around(model), ("standard", "fast"))
        for usage in usages_of(prompt)
    )
    compared, wrong = disagreements(asks)
    assert compared > 3_000
    assert not wrong


def channel_ids(model):
    """Every id of a model on every channel, with the endpoint it means and the location that goes with it."""
    ids = model["ids"]
    for name in api_ids(model):
        for channel in ("claude_api", "claude_platform_aws", "foundry", "google_anthropic"):
            yield name, channel, None, None
    for name in ids["bedrock"]["ids"]:
        yield name, "bedrock", "regional", None
        yield f"arn:aws:bedrock:us-east-1::foundation-model/{name}", "bedrock", "regional", None
        for prefix in PREFIXES:
            endpoint = "global" if prefix == "global." else "regional"
            yield prefix + name, "bedrock", endpoint, None
            yield f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/{prefix}{name}", "bedrock", endpoint, None
    for key, channel in (("microsoft_foundry", "foundry"), ("claude_platform_on_aws", "claude_platform_aws")):
        if key in ids:
            yield ids[key]["id"], channel, None, None
    if "google_cloud" in ids:
        for location in ("global", "us-east5", "europe-west1", "us", "eu"):
            endpoint = "global" if location == "global" else "regional"
            yield ids["google_cloud"]["id"], "google_cloud", endpoint, location


def test_every_id_on_every_channel_with_batch_and_geo(facts):
    usage = Usage(10_000, 2_000, 3_000, 40_000, 5_000)
    bare = Usage(input_tokens=10_000, output_tokens=5_000)
    asks = (
        (
            model,
            Asked(
                Served(
                    model=name,
                    usage=bare if model["rates"][0]["cache_read"] is None else usage,
                    channel=channel,
                    location=location,
                    service_tier=tier,
                    inference_geo=geo,
                ),
                day,
                channel,
                endpoint,
            ),
        )
        for model in facts["models"]
        for name, channel, endpoint, location in channel_ids(model)
        for day, tier, geo in product(days_around(model), ("standard", "batch"), (None, "global", "us"))
    )
    compared, wrong = disagreements(asks)
    assert compared > 10_000
    assert not wrong


def test_an_id_only_a_partner_uses_states_its_channel(facts):
    usage = Usage(input_tokens=10_000, output_tokens=5_000)
    for model in facts["models"]:
        for name, channel, endpoint, _ in channel_ids(model):
            if channel == "bedrock":
                asked = Asked(Served(model=name, usage=usage), AS_OF, "bedrock", endpoint)
                assert our_pusd(asked) == published_pusd(model, asked), name


def test_multipliers_begin_on_their_day(facts):
    edges = (BATCH_FROM, GEO_FROM, REGIONAL_FROM)
    usage = Usage(1_000, 2_000, 3_000, 4_000, 5_000)
    asks = (
        (
            model,
            Asked(
                Served(
                    model=name, usage=usage, channel=channel, location=location, service_tier=tier, inference_geo=geo
                ),
                day,
                channel,
                endpoint,
            ),
        )
        for model in facts["models"]
        for name, channel, endpoint, location in channel_ids(model)
        for edge in edges
        for day in (edge - timedelta(days=1), edge)
        for tier, geo in (("standard", None), ("batch", None), ("standard", "us"), ("batch", "us"))
    )
    _, wrong = disagreements(asks)
    assert not wrong


def test_published_batch_rows(facts):
    for name, (rate_in, rate_out) in (
        (name, rates)
        for name, rates in facts["modifiers"]["batch"]["published_rows"].items()
        if isinstance(rates, list)
    ):
        if name == "columns":
            continue
        model, _, band = name.partition(" ")
        prompt = 100_001 if "over" in band else 1_000
        usage = Usage(input_tokens=prompt, output_tokens=1_000)
        bill = price_served(
            shipped_book(), Served(model=model, usage=usage, service_tier="batch"), datetime(2026, 11, 20, tzinfo=UTC)
        )
        assert bill.list_pusd == (prompt * Fraction(rate_in) + 1_000 * Fraction(rate_out)) * 10**6


def shipped_models():
    for path in sorted((DATA / "anthropic").glob("*.toml")):
        yield from tomllib.loads(path.read_text())["model"]


def test_no_claude_model_id_or_trait_is_lost(facts):
    ours = {model["ids"]["claude_api"][0]: model for model in shipped_models()}
    assert sorted(ours) == sorted(model["ids"]["claude_api"]["id"] for model in facts["models"])
    trit = {True: True, False: False, None: "unconfirmed"}
    for model in facts["models"]:
        our = ours[model["ids"]["claude_api"]["id"]]
        ids = model["ids"]
        assert our["ids"]["claude_api"] == api_ids(model)
        assert our["ids"]["bedrock"] == ids["bedrock"]["ids"]
        assert our["ids"]["bedrock_profile_prefixes_seen"] == ids["bedrock"]["inference_profile_prefixes_seen"]
        for key, name in (
            ("google_cloud", "google_cloud"),
            ("microsoft_foundry", "foundry"),
            ("claude_platform_on_aws", "claude_platform_aws"),
        ):
            assert our["ids"].get(name, []) == ([ids[key]["id"]] if key in ids else []), name
        for key, name in (
            ("batch_50pct", "batch"),
            ("prompt_caching", "prompt_caching"),
            ("inference_geo_us_1_1x", "inference_geo_us"),
            ("partner_cloud_regional_premium_10pct", "regional_premium"),
        ):
            assert our["applies"][name] == trit[model["applies"][key]]
        for key, name in (
            ("context_window", "context_window_tokens"),
            ("max_output", "output_tokens_max"),
            ("max_output_batch_beta", "output_tokens_max_batch_beta"),
        ):
            assert our.get(name) == model.get(key)
        for name in ("released", "deprecated", "retired", "retires_on", "retire_not_before"):
            assert our.get(name) == day_of(model.get(name)), (our["name"], name)
        for name in ("name", "family", "status", "tokenizer"):
            assert our[name].endswith(model[name])
        assert our.get("cacheable_prefix", {}).get("tokens_min") == model["min_cacheable_tokens"]["value"]
        assert our["sources"] == model["id_and_date_sources"]


RENAMED = {
    "from": "valid_from",
    "to": "valid_to",
    "from_approx": "valid_from_approximate",
    "to_approx": "valid_to_approximate",
}


def published_row(row):
    """A row of the facts in the names of our files."""
    kept = {RENAMED.get(key, key): value for key, value in row.items() if value not in (None, "", [])}
    for key in ("valid_from", "valid_to"):
        if key in kept:
            kept[key] = date.fromisoformat(kept[key])
    band = kept.pop("prompt_tokens", None)
    if band:
        kept |= {f"prompt_tokens_{key}": value for key, value in band.items() if value}
    if kept.get("speed") == "standard":
        del kept["speed"]
    return kept


def lost(published, ours):
    """Entries of a published row that ours does not have, word by word; a channel is kept by its first word."""
    for key, value in published.items():
        our = ours.get(key)
        if key == "as_of":
            our = ours.get("checked_on")
        if key == "channel":
            if our != value.split()[0]:
                yield key, value, our
        elif key == "note":
            if value not in (our or ""):
                yield key, value, our
        elif our != value:
            yield key, value, our


def test_no_rate_confidence_source_or_note_is_lost(facts):
    ours = {model["ids"]["claude_api"][0]: model for model in shipped_models()}
    for model in facts["models"]:
        rows = ours[model["ids"]["claude_api"]["id"]]["rate"]
        # fast_mode.channels of the facts: rows of their own, beside the one that the facts have
        elsewhere = {"google_cloud", "google_anthropic"}
        standing = [row for row in rows if "retracted_on" not in row and row.get("channel") not in elsewhere]
        assert len(standing) == len(model["rates"]), model["name"]
        for published, our in zip(map(published_row, model["rates"]), standing, strict=True):
            assert not list(lost(published, our)), model["name"]


def test_no_competitor_is_lost(facts):
    ours = {
        (path.stem, model["id"]): model
        for path in (DATA / "competitors").glob("*.toml")
        for model in tomllib.loads(path.read_text())["model"]
    }
    assert len(ours) == len(facts["competitors"])
    for model in facts["competitors"]:
        our = ours[model["vendor"], model["id"]]
        assert len(our["rate"]) == len(model["rates"])
        for published, row in zip(map(published_row, model["rates"]), our["rate"], strict=True):
            assert not list(lost(published, row)), model["id"]
        for key in ("shutdown", "shutdown_source", "replacement", "note"):
            assert our.get(key, "") == model.get(key, "")
        assert our.get("context_window", "") == str(model.get("context", ""))


def test_no_source_is_lost(facts):
    ours = tomllib.loads((DATA / "sources.toml").read_text())
    assert ours.items() >= facts["sources"].items()
