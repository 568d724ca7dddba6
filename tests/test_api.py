"""The public names, and the front door."""

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import farthing
from farthing import BadInput, Kind, Served, Usage

AT = datetime(2026, 10, 5, 9, tzinfo=UTC)
USAGE = {"input_tokens": 1000, "output_tokens": 100}
SONNET = "claude-sonnet-4-5"
PUSD = 10**12
COMPACTED_LESS_THAN_NOTHING = farthing.ExtraPass(farthing.PassKind.COMPACTION, Usage(input_tokens=-1), SONNET)


class TestNames:
    NAMES = """
        price read_usage price_served Bill Line Usage Served ExtraPass PassKind Call Unit Kind PriceBook default_book
        load_book FarthingError BadInput BadConfig DataFault InexactMoney BadPriceBook LedgerFault ErrorRecord
    """.split()  # noqa: SIM905

    def test_exactly_these(self):
        assert farthing.__all__ == self.NAMES
        assert dir(farthing) == sorted([*self.NAMES, "__version__"])

    def test_each_is_what_its_module_calls_so(self):
        for name in self.NAMES:
            assert getattr(farthing, name).__name__ == name

    def test_no_other_name_is_made_up(self):
        with pytest.raises(AttributeError, match="no attribute 'prize'"):
            farthing.prize  # noqa: B018

    def test_the_page_explains_each_and_no_other(self, root):
        page = (root / "docs" / "python-api.md").read_text(encoding="utf-8")
        assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == self.NAMES

    def test_importing_the_package_imports_nothing_else(self):
        code = "import sys; import farthing; print([name for name in sys.modules if name.startswith('farthing.')])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == "[]\n"


class TestPrice:
    """1,000 x $3/MTok + 100 x $15/MTok = $0.0045."""

    def test_a_usage(self):
        bill = farthing.price(USAGE, model=SONNET, at=AT)
        assert (bill.list_usd, bill.kind) == ("0.0045", Kind.MEASURED)

    def test_a_whole_response(self):
        response = {"id": "msg_1", "type": "message", "model": SONNET, "usage": USAGE, "content": []}
        assert farthing.price(response, at=AT).list_usd == "0.0045"

    def test_the_response_names_the_model_that_served(self):
        response = {"type": "message", "model": SONNET, "usage": USAGE}
        assert farthing.price(response, model="claude-opus-4-5", at=AT).list_usd == "0.0045"

    def test_objects_of_the_sdk(self):
        dumped = SimpleNamespace(model_dump=lambda: USAGE)
        assert farthing.price(dumped, model=SONNET, at=AT).list_usd == "0.0045"

    def test_usage_and_served(self):
        usage = Usage(input_tokens=1000, output_tokens=100)
        assert farthing.price(usage, model=SONNET, at=AT).list_usd == "0.0045"
        assert farthing.price(Served(model=SONNET, usage=usage), at=AT).list_usd == "0.0045"
        assert farthing.read_usage(USAGE, model=SONNET) == Served(model=SONNET, usage=usage)

    def test_what_the_usage_does_not_say(self):
        assert farthing.price(USAGE, model=SONNET, at=AT, service_tier="batch").list_usd == "0.00225"
        says_so = USAGE | {"service_tier": "batch"}
        assert farthing.price(says_so, model=SONNET, at=AT, service_tier="standard").list_usd == "0.00225"

    def test_a_refusal_before_any_output(self):
        """Since 2026-09-24 some categories are billed and others are not; then the bill says why."""
        usage = {"input_tokens": 1000, "output_tokens": 0}
        refusal = {"model": SONNET, "at": AT, "stop_reason": "refusal"}
        free = farthing.price(usage, stop_details={"category": "cyber"}, **refusal)
        assert (free.list_pusd, free.notes) == (0, ("refused before any output (cyber): not billed",))
        assert farthing.price(usage, stop_details={"category": "bio"}, **refusal).list_pusd == 3 * PUSD // 1000
        assert farthing.price(usage, model=SONNET, at=AT).list_pusd == 3 * PUSD // 1000

    def test_partner_channels(self):
        regional = farthing.price(USAGE, model=SONNET, at=AT, channel="bedrock", location="us-east-1")
        world = farthing.price(USAGE, model=SONNET, at=AT, channel="bedrock", location="global")
        assert (world.list_usd, regional.list_usd) == ("0.0045", "0.00495")

    def test_writes_without_a_split(self):
        usage = USAGE | {"cache_creation_input_tokens": 1000}
        derived = farthing.price(usage, model=SONNET, at=AT, write_ttls=frozenset({"1h"}))
        assert derived.list_pusd - farthing.price(USAGE, model=SONNET, at=AT).list_pusd == 6 * PUSD // 1000
        assert derived.kind is Kind.DERIVED

    def test_what_was_known_earlier(self):
        assert farthing.price(USAGE, model=SONNET, at=AT, known_on=date(2025, 1, 1)).list_pusd is None

    def test_the_day_is_the_utc_day(self):
        """Reads of Sonnet 5.5 fell from $0.20 to $0.10 on 2026-10-07."""
        eve = datetime(2026, 10, 6, 15, 59, tzinfo=timezone(timedelta(hours=-8)))
        reads = {"input_tokens": 0, "cache_read_input_tokens": 10**6, "output_tokens": 0}
        prices = [
            farthing.price(reads, model="claude-sonnet-5-5", at=at).list_usd
            for at in (eve, eve + timedelta(minutes=1), (eve + timedelta(minutes=1)).astimezone(UTC))
        ]
        assert prices == ["0.2", "0.1", "0.1"]

    def test_known_on_takes_a_time_by_its_utc_day(self):
        """The rise to $15 was called off on 2026-08-10; half past ten at night in New York is the next day already."""
        september = datetime(2026, 9, 15, tzinfo=UTC)
        known = datetime(2026, 8, 9, 22, 30, tzinfo=timezone(timedelta(hours=-4)))
        output = {"input_tokens": 0, "output_tokens": 10**6}
        assert farthing.price(output, model="claude-sonnet-5", at=september, known_on=known).list_usd == "10"
        assert farthing.price(output, model="claude-sonnet-5", at=september, known_on=date(2026, 8, 9)).list_usd == "15"

    @pytest.mark.parametrize(
        ("usage", "arguments"),
        [
            (USAGE, {"model": None}),
            (Usage(), {"model": None}),
            (USAGE, {"model": SONNET, "at": AT.replace(tzinfo=None)}),
            ({"input_tokens": -1, "output_tokens": 0}, {"model": SONNET}),
            ({}, {"model": SONNET}),
            (7, {"model": SONNET}),
            (Usage(input_tokens=-1), {"model": SONNET}),
            (Usage(output_tokens=1.5), {"model": SONNET}),
            (Usage(input_tokens=True), {"model": SONNET}),
            (Served(model=SONNET, usage=Usage(web_search_requests="3")), {}),
            (Served(model=SONNET, usage=Usage(), extra_passes=(COMPACTED_LESS_THAN_NOTHING,)), {}),
            (USAGE, {"model": SONNET, "at": "2026-10-05T09:00:00Z"}),
            (USAGE, {"model": SONNET, "at": AT.date()}),
            (USAGE, {"model": SONNET, "at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))}),
            (USAGE, {"model": SONNET, "known_on": "2026-10-05"}),
            (None, {"model": SONNET}),
            ({"type": "error", "error": {}}, {"model": None}),
        ],
    )
    def test_what_cannot_be_priced_is_the_callers_to_mend(self, usage, arguments):
        with pytest.raises(BadInput):
            farthing.price(usage, **{"at": AT} | arguments)

    @given(st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6))
    def test_the_parts_sum_to_the_whole(self, fresh, read, output):
        usage = {"input_tokens": fresh, "cache_read_input_tokens": read, "output_tokens": output}
        bill = farthing.price(usage, model="claude-haiku-4-5", at=AT)
        assert bill.list_pusd == sum(line.pusd for line in bill.lines)
        assert bill.list_pusd == fresh * 10**6 + read * 10**5 + output * 5 * 10**6
