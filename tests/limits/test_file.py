"""A limits file is read strictly and exactly, or refused in one sentence that names the spot."""

from fractions import Fraction

import pytest

from farthing.errors import BadConfig
from farthing.limits.file import read_limits

FULL = """
on_store_failure = "allow"
default_inference_geo = "global"

[[budget]]
name = "organisation"
limit_usd = 2_000
window = "month"
timezone = "Europe/Berlin"
alert_at = [0.9, 0.5]

[[budget]]
name = "a tenth"
limit_usd = 0.1
window = "day"
each = "tenant"
mode = "degrade"
degrade_to = "claude-haiku-5-5"
scope = { team = ["red", "blue-*"], model = "claude-opus-*" }

[[budget]]
name = "many"
limit_usd = "0.000000000001"
window = "total"
unpriced = "allow"
smooth = { quantile = 0.95, overshoot_usd = 0.3 }

[[rate]]
requests_per_minute = 60
queue_seconds = 2.5
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "limits.toml").write_text(text, encoding="utf-8")
        return read_limits(tmp_path / "limits.toml")

    return read


def test_all_of_it(read):
    found = read(FULL)
    org, tenth, many = found.budgets
    assert (org.limit_pusd, org.mode, org.scope, org.zone.key) == (2_000 * 10**12, "hard", (), "Europe/Berlin")
    assert org.alert_at == (Fraction(1, 2), Fraction(9, 10))
    assert (tenth.limit_pusd, tenth.degrade_to, tenth.each) == (10**11, "claude-haiku-5-5", "tenant")
    assert tenth.alert_at == (Fraction(1, 2), Fraction(4, 5), 1)
    assert (many.limit_pusd, many.quantile, many.overshoot_pusd) == (1, Fraction(19, 20), 3 * 10**11)
    assert many.allows_unpriced
    assert not found.refuses_without_store
    assert found.default_inference_geo == "global"
    assert (found.rates[0].requests_per_minute, found.rates[0].queue_seconds) == (60, 2.5)
    assert read("") == ((), True, "unknown", (), found.upstream)


def test_scopes(read):
    tenth = read(FULL).budgets[1]
    assert tenth.matches({"team": "red"}, "claude-opus-5-5")
    assert tenth.matches({"team": "blue-2"}, "claude-opus-5-5")
    assert not tenth.matches({"team": "green"}, "claude-opus-5-5")
    assert not tenth.matches({"team": "red"}, "claude-haiku-5-5")
    assert not tenth.matches({}, "claude-opus-5-5")


PLAIN = '[[budget]]\nname = "b"\nlimit_usd = 1\nwindow = "day"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[budget]", "Expected"),
        ('[[budget]]\nname = "b"\nwindow = "day"\n', "missing required field `limit_usd`"),
        (PLAIN + "windw = 1\n", "did you mean window?"),
        (PLAIN.replace("day", "fortnight"), "fortnight"),
        (PLAIN + PLAIN, "two budgets are called 'b'"),
        (PLAIN.replace('"b"', '" "'), "a budget called ' '"),
        (PLAIN.replace("= 1", "= -1"), "no less than nothing"),
        (PLAIN.replace("= 1", '= "a lot"'), "exact dollars"),
        (PLAIN.replace("= 1", "= 1e-13"), "exact dollars"),
        (PLAIN + 'timezone = "Europe/Berlim"\n', "IANA name"),
        (PLAIN + 'mode = "degrade"\n', "degrade_to None"),
        (PLAIN + 'degrade_to = "claude-haiku-5-5"\n', "mode 'hard'"),
        (PLAIN + "alert_at = [0]\n", "above 0"),
        (PLAIN + "alert_at = [1e999999]\n", "alert_at"),
        (PLAIN + "smooth = { quantile = 1.5, overshoot_usd = 1 }\n", "up to 1"),
        (PLAIN + "smooth = { quantile = 0.9 }\n", "overshoot_usd"),
        (PLAIN.replace("day", "call") + "smooth = { overshoot_usd = 1 }\n", "a window of several calls"),
        (PLAIN + 'mode = "soft"\nsmooth = { overshoot_usd = 1 }\n', "a mode that refuses"),
        (PLAIN + "alert_at = [80]\n", "a number above 0, up to 10"),
        (PLAIN + "scope = { tenant = [] }\n", "a scope is empty"),
        (PLAIN + 'scope = { tenant = "" }\n', "a scope is empty"),
        (PLAIN + 'scope = { models = "claude-opus-*" }\n', "did you mean model?"),
        (PLAIN + 'scope = { Tenant = "acme" }\n', "did you mean tenant?"),
        (PLAIN + 'each = "api-key"\n', "did you mean api_key?"),
        ('[[rate]]\nrequests_per_minute = 1\nmatch = { users = "a" }\n', "did you mean user?"),
        ('[[rate]]\nrequests_per_minute = 1\nmatch = { model = "claude-*" }\n', "beside match"),
        ('[[rate]]\nrequests_per_minute = 1\neach = "model"\n', "beside match"),
        ("budgets = 1\n", "did you mean budget?"),
        ('on_store_failure = "perhaps"\n', "perhaps"),
    ],
)
def test_what_is_wrong_is_said(read, text, says):
    with pytest.raises(BadConfig) as refused:
        read(text)
    assert says in str(refused.value)
    assert "limits.toml" in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadConfig, match=r"limits\.toml"):
        read_limits(tmp_path / "limits.toml")
