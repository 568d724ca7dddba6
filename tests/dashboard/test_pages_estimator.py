"""The estimator says what the command line says, of presets and of traffic, and every change is in the address."""

import json
from collections import Counter
from fractions import Fraction

import pytest
from tests.dashboard.made import NOW
from typer.testing import CliRunner

from farthing.cli.app import app
from farthing.estimate.reading import read_workload, with_settings
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served


@pytest.fixture(scope="module")
def feature(calls):
    """One that there is in November."""
    return Counter(call.dims["feature"] for call in calls if call.sent_at.month == NOW.month).most_common(1)[0][0]


def page(client, **asked):
    answer = client.get("/estimator", params={"format": "json", **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(*arguments):
    result = CliRunner().invoke(app, ["estimate", *arguments, "--at", f"{NOW:%Y-%m-%d}", "--json"])
    return json.loads(result.stdout)


def rows(found, name):
    return next(table["rows"] for table in found["tables"] if table["name"] == name)


@pytest.mark.parametrize("preset", ["light", "medium", "heavy"])
def test_a_preset_is_estimated_as_on_the_command_line(client, preset):
    shown = page(client, start=preset)
    assert shown["estimate"] == told("--preset", preset)
    assert shown["figures"]["month"]["value"] == shown["estimate"]["month_usd"]
    assert "as_it_was" not in shown["figures"]


def test_changes_are_the_settings_of_the_command_line(client):
    asked = {"calls": "1200", "output": "300", "cache": "1h", "model": "claude-haiku-5-5", "set": "batch_share=0.25"}
    settings = ("volume.calls_per_day=1200", "tokens.output=300", "cache.ttl=1h", "model=claude-haiku-5-5")
    arguments = [part for setting in (*settings, "batch_share=0.25") for part in ("--set", setting)]
    mine, theirs = page(client, start="medium", **asked)["estimate"], told("--preset", "medium", *arguments)
    assert mine.pop("notes") == theirs.pop("notes")
    assert mine == theirs


def test_traffic_is_measured_until_it_is_changed(client, feature):
    as_it_is = page(client, range="this-month", where=f"feature={feature}")
    inputs = {one["key"]: one["kind"] for one in as_it_is["estimate"]["inputs"]}
    assert {inputs[key] for key in ("tokens.user", "tokens.output", "volume.calls_per_day")} == {"measured"}
    changed = page(client, range="this-month", where=f"feature={feature}", output="9000")
    inputs = {one["key"]: one["kind"] for one in changed["estimate"]["inputs"]}
    assert (inputs["tokens.user"], inputs["tokens.output"]) == ("measured", "assumed")


def test_what_the_traffic_cost_is_scaled_to_thirty_days(client, calls, feature):
    chosen = [call for call in calls if call.sent_at.month == 11 and call.dims["feature"] == feature]
    spent = sum(price_served(shipped_book(), one.served, one.sent_at).list_pusd for one in chosen)
    passed = (NOW - NOW.replace(day=1, hour=0, minute=0)).total_seconds()
    figure = page(client, range="this-month", where=f"feature={feature}")["figures"]["as_it_was"]
    assert abs(Fraction(figure["value"]) * 10**12 - Fraction(spent * 30 * 86_400, int(passed))) <= Fraction(1, 2)
    assert figure["kind"] == "derived"


def test_claude_models_lead_to_the_same_plan_on_them(client):
    found = page(client, start="light", calls="777")
    model = rows(found, "models")[0]
    html = client.get("/estimator", params={"start": "light", "calls": "777"}).text
    assert f"start=light&amp;calls=777&amp;model={model['model']}" in html
    on_it = page(client, start="light", calls="777", model=model["model"])
    assert on_it["figures"]["month"]["value"] == model["usd"]


def test_what_cannot_be_read_is_said_and_nothing_is_run(client):
    for asked in ({"output": "many"}, {"set": "tokens.nothing=1"}, {"start": "huge"}, {"model": "gpt-0<img src=x>"}):
        answer = client.get("/estimator", params={"start": "light", **asked})
        assert answer.status_code in (200, 400), asked
        assert "<img src=x>" not in answer.text
    assert client.get("/estimator", params={"set": "a=1;" * 200}).status_code == 400


def test_days_without_traffic_offer_a_preset(client):
    text = client.get("/estimator", params={"range": "2025-01"}).text
    assert "light (a preset)" in text
    assert "A month" not in text


def test_settings_leave_the_rest_measured():
    planned = read_workload(None, preset="light", settings=['measured=["tokens", "volume.calls_per_day", "models"]'])
    changed = with_settings(planned, ["tokens.output=5", "model=claude-opus-5-5"])
    assert "volume.calls_per_day" in changed.measured
    assert {"tokens.user", "tokens.system"} <= set(changed.measured)
    assert not {"tokens", "tokens.output", "models"} & set(changed.measured)
