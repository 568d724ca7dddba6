"""The policy file: strict, and what is written is read back as it was."""

import string
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.whatif.playbook.made import HAIKU, proposal

from farthing.errors import BadConfig, BadInput
from farthing.whatif.playbook.policy import HEADER, CacheTable, StepTable, block_of, checked, read_policy, step_of
from farthing.whatif.replay.choice import Caching, Choice

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from(string.printable + "\x7f\x00\x85\u2028"), max_size=12)
CACHES = st.sampled_from(
    [
        None,
        CacheTable("none"),
        CacheTable("automatic", ttl="1h"),
        CacheTable("fixed", ("system", -1), "mixed"),
        CacheTable("end", pings=3, ping_every_s=60),
    ]
)
STEPS = st.builds(
    StepTable,
    id=TEXT,
    title=TEXT,
    applied_at=st.none() | st.just(datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)),
    holdout_share=st.sampled_from([0.0, 0.05, 0.5]),
    where=st.dictionaries(TEXT, st.lists(TEXT, max_size=2).map(tuple), max_size=3),
    batch=st.sampled_from([True]),
    turnaround_s=st.none() | st.integers(0, 86_400),
    model=st.none() | TEXT,
    cache=CACHES,
    inference_geo=st.sampled_from([None, "us", "global"]),
    speed=st.sampled_from([None, "standard"]),
    effort=st.sampled_from([None, "low"]),
)


@given(st.lists(STEPS, max_size=3, unique_by=lambda step: step.id), TEXT)
def test_what_is_written_is_read_back(steps, note):
    printable = "".join(char for char in note if char.isprintable())
    text = HEADER + "".join(block_of(step, printable) for step in steps).encode()
    assert list(read_policy(text, "policy.toml").step) == steps


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "version"),
        ("version = 2", "2"),
        ("version = 1\nstpe = []", "stpe"),
        ('version = 1\n[[step]]\nid = "a"', "turns nothing"),
        ('version = 1\n[[step]]\nid = "a"\nbacth = true', "bacth"),
        ('version = 1\n[[step]]\nid = "a"\nturnaround_s = 5\nspeed = "standard"', "without batch"),
        ('version = 1\n[[step]]\nid = "a"\nbatch = true\nholdout_share = 0.6', "0.5"),
        ('version = 1\n[[step]]\nid = "a"\neffort = "lowest"', "lowest"),
        ('version = 1\n[[step]]\nid = "a"\ncache = { policy = "fixed" }', "places"),
        ('version = 1\n[[step]]\nid = "a"\ncache = { policy = "none", tll = "1h" }', "tll"),
        ('version = 1\n[[step]]\nid = "a"\nbatch = true\n[[step]]\nid = "a"\nbatch = true', "twice"),
        ("version = [", "policy.toml"),
        ("\xff", "policy.toml"),
    ],
)
def test_what_nothing_could_carry_out_is_refused(text, says):
    with pytest.raises(BadConfig) as caught:
        read_policy(text.encode("latin-1"), "policy.toml")
    assert says in str(caught.value)
    assert "policy.toml" in str(caught.value)


def test_a_proposal_without_a_table_of_its_own_says_what_its_choice_turns():
    step = step_of(_bare(Choice.of(where={"feature": ("a",)}, cache=Caching("end", ttl="1h"), model=HAIKU)))
    assert step.levers == {"model": HAIKU, "cache": CacheTable("end", ttl="1h")}
    assert step.where == {"feature": ("a",)}


def test_what_no_policy_can_say_is_refused():
    with pytest.raises(BadInput, match="channel"):
        step_of(_bare(Choice.of(channel="bedrock")))
    with pytest.raises(BadInput, match="2 rules"):
        step_of(_bare(Choice.of(batch=True).then(Choice.of(batch=False))))
    with pytest.raises(BadInput, match="turns nothing"):
        checked(StepTable(id="nothing"))


def _bare(choice):
    return msgspec.structs.replace(proposal("p"), policy={}, choice=choice)
