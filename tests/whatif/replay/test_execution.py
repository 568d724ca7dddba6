"""Prediction equals execution: what a replay says a choice costs is what a sandbox books for it, call by call."""

import copy
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import islice

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whatif.replay.conversations import MODELS, text, traces
from tests.whatif.replay.execution import Machine, Order, Sent, at, recorded, with_breakpoints, without_breakpoints

from farthing.demo.season import season
from farthing.prices.book import shipped_book
from farthing.prompts.parts import parts_of
from farthing.prompts.recorded import request_of
from farthing.sandbox.tokenizer import SandboxCounter
from farthing.sources.traces import in_time_order, read_mooncake
from farthing.tokens.models import traits_of
from farthing.whatif.replay.choice import Caching, Choice, Effort
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
OF_ONE_TOKENIZER = {
    "haiku": "claude-haiku-4-5-20251001",
    "sonnet": "claude-sonnet-4-6",
    "opus": "claude-opus-4-6",
}
OFTEN = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
"""Conversations are much to draw, and a busy machine is not a fault."""


# -- what a client would send, worked out from bodies alone


def positions(parts, caching, seen_at):
    good = [n for n, part in enumerate(parts) if part.cacheable]
    match caching.policy:
        case "end":
            return [n for n in good if n < len(parts) - 1][-1:]
        case "second_sight":
            return [n for n in good if n <= seen_at][-1:]
    found = set()
    for place in caching.places:
        if isinstance(place, str):
            found |= set([n for n in good if parts[n].section == place][-1:])
        else:
            found |= {n for n in good if n in {place, len(parts) + place}} if place < 0 else {place} & set(good)
    return sorted(found)


class Client:
    """Rewrites each body for a choice; remembers prefixes for second sight."""

    def __init__(self, caching, changes):
        self.caching = caching
        self.changes = changes
        self.seen = {}

    def rewrite(self, sent, at_ms):
        body = copy.deepcopy(sent.body)
        body.update({key: value for key, value in self.changes.items() if key in {"model", "inference_geo", "speed"}})
        if "effort" in self.changes:
            body["output_config"] = {"effort": self.changes["effort"]}
        if self.changes.get("batch"):
            body.pop("speed", None)
        return self.placed(body, sent, at_ms)

    def placed(self, body, sent, at_ms):
        caching, parts = self.caching, list(parts_of(body, keeps_thinking=True))
        ttl = caching.ttl or "5m"
        match caching.policy:
            case "as_marked":
                return body
            case "none":
                return without_breakpoints(body)
            case "automatic" if caching.ttl != "mixed":
                return {**without_breakpoints(body), "cache_control": {"type": "ephemeral", "ttl": ttl}}
            case "automatic":
                at = [n for n, part in enumerate(parts) if part.cacheable][-1:]
            case _:
                at = positions(parts, caching, self.sight(body, parts, sent, at_ms))
        if caching.ttl == "mixed":
            return with_breakpoints(body, [(n, "5m" if parts[n].section == "messages" else "1h") for n in at])
        return with_breakpoints(body, [(n, ttl) for n in at])

    def sight(self, body, parts, sent, at_ms):
        found, so_far = (
            -1,
            (sent.workspace, body["model"], body.get("inference_geo", "global"), bool(body.get("tools"))),
        )
        for n, part in enumerate(parts):
            felt = body.get("speed", "standard") if part.section != "tools" else ""
            effort = body.get("output_config", {}).get("effort", "") if part.section == "messages" else ""
            so_far = (so_far, part.encoded, part.role, felt, effort)
            if at_ms - self.seen.get(so_far, -(10**12)) <= 3_600_000:
                found = n
            self.seen[so_far] = at_ms
        return found


def predicted_and_executed(trace, caching, changes):
    """Per call what was predicted and what was booked; pings are executed when the replay sends them."""
    levers = {key: value for key, value in changes.items() if key != "effort"}
    if "effort" in changes:
        levers["effort"] = Effort(changes["effort"], Fraction(1))
    outcomes = []
    result = replay(
        recorded(trace), [Choice.of(cache=caching, **levers)], BOOK, each=lambda _, outcome: outcomes.append(outcome)
    )
    assert not result.steps[0].stays
    client = Client(caching, changes)
    wait_s = changes.get("turnaround_s", 3600) if changes.get("batch") else 0
    orders = []
    bodies = {}
    for number, sent in enumerate(trace):
        body = client.rewrite(sent, sent.at_ms)
        bodies[number] = sent._replace(body=body)
        orders.append(Order(at(sent), number, bodies[number], wait_s or None))
    pings = [one for one in outcomes if one.is_ping]
    for extra, ping in enumerate(pings, len(trace)):
        of = bodies[int(ping.call.call_id)]
        body = {**of.body, "max_tokens": 0}
        # How long a response would have taken is unknown for a call that its client left: taken as no time.
        took_ms = 0 if of.leaves else of.ttft_ms
        again = of._replace(body=body, output_tokens=0, refused="", leaves=False, ttft_ms=took_ms)
        orders.append(Order(ping.at, extra, again))
    orders.sort(key=lambda order: order.at)
    made = Machine().run(orders)
    predicted = {int(one.call.call_id): one for one in outcomes if not one.is_ping}
    predicted |= dict(enumerate(pings, len(trace)))
    return result, predicted, made


def check(trace, caching, changes):
    if changes.get("batch"):  # nobody can leave a batch, and the sandbox takes batches of one instant in any order
        trace = [sent._replace(at_ms=sent.at_ms + n, leaves=False) for n, sent in enumerate(trace)]
    result, predicted, made = predicted_and_executed(trace, caching, changes)
    assert predicted.keys() == made.entries.keys()
    for number, outcome in predicted.items():
        booked = made.entries[number]
        assert outcome.served.usage == booked.call.served.usage
        assert outcome.at == booked.call.sent_at
        assert outcome.pusd == booked.pusd
    assert result.steps[0].sums.pusd == made.total_pusd
    return result


CACHINGS = st.one_of(
    st.builds(
        Caching,
        st.sampled_from(["none", "as_marked"]),
    ),
    st.builds(
        Caching,
        st.sampled_from(["automatic", "end", "second_sight"]),
        ttl=st.sampled_from(["5m", "1h", "mixed"]),
    ),
    st.builds(
        Caching,
        st.just("fixed"),
        st.lists(st.sampled_from(["tools", "system", "messages", 0, 3, -1, -2, -21]), min_size=1, max_size=4).map(
            tuple
        ),
        ttl=st.sampled_from(["5m", "1h", "mixed"]),
    ),
)
NEWER = [model for model in MODELS if model != "claude-sonnet-4-6"]


@OFTEN
@given(traces(), CACHINGS)
def test_every_cache_policy(trace, caching):
    check(trace, caching, {})


@OFTEN
@given(
    traces(NEWER),
    CACHINGS,
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(NEWER),
            "inference_geo": st.sampled_from(["us", "global"]),
            "effort": st.sampled_from(["low", "high"]),
        },
    ),
    st.sampled_from([{}, {"speed": "standard"}, {"speed": "fast", "model": "claude-opus-5"}, {"batch": True}]),
)
def test_levers_together(trace, caching, changes, more):
    changes = changes | more
    if "model" in changes and "speed" not in changes and not changes.get("batch"):
        changes["speed"] = "standard"  # not every model has a fast mode
    check(trace, caching, changes)


@OFTEN
@given(traces(), st.sampled_from(["automatic", "end"]), st.integers(1, 4))
def test_keeping_warm(trace, policy, pings):
    check(trace, Caching(policy, pings=pings), {})


@OFTEN
@given(traces(), st.integers(1, 20_000))
def test_batches_with_any_turnaround(trace, turnaround_s):
    check(trace, Caching("automatic"), {"batch": True, "turnaround_s": turnaround_s})


def test_calls_of_the_older_tokenizer_on_a_model_of_the_newer():
    # Dictated under both, in tens, so that 1.3 times as many is a whole number for every block.
    system = [text("s", 3000, 3900) | {"cache_control": {"type": "ephemeral"}}]
    trace = []
    for turn in range(1, 6):
        said = [
            {"role": "assistant" if n % 2 else "user", "content": [text(f"m{n}", 500 + 10 * n, 650 + 13 * n)]}
            for n in range(2 * turn - 1)
        ]
        body = {"model": "claude-sonnet-4-6", "max_tokens": 2000, "system": system, "messages": said}
        trace.append(Sent(100_000 * turn, body, ttft_ms=500, output_tokens=100))
    outcomes = []
    choice = Choice.of(cache=Caching("automatic"), model="claude-sonnet-5-5")
    result = replay(recorded(trace), [choice], BOOK, each=lambda _, outcome: outcomes.append(outcome))
    client = Client(Caching("automatic"), {"model": "claude-sonnet-5-5"})
    sents = [sent._replace(body=client.rewrite(sent, sent.at_ms), output_tokens=130) for sent in trace]
    made = Machine().run([Order(at(sent), number, sent) for number, sent in enumerate(sents)])
    assert [one.served.usage for one in outcomes] == [made.entries[n].call.served.usage for n in range(5)]
    assert result.steps[0].sums.pusd == made.total_pusd


COMBINATIONS = [
    (Caching("as_marked"), {}),
    (Caching("none"), {}),
    (Caching("automatic"), {}),
    (Caching("automatic", ttl="1h"), {"inference_geo": "us"}),
    (Caching("end"), {"model": "claude-opus-4-6"}),
    (Caching("second_sight"), {}),
    (Caching("fixed", (0, 20, -2, -1), "mixed"), {}),
    (Caching("end", pings=2), {}),
    (Caching("automatic", ttl="1h"), {"batch": True, "turnaround_s": 600, "model": "claude-opus-4-6"}),
]


@pytest.mark.parametrize(("caching", "changes"), COMBINATIONS)
def test_a_slice_of_a_published_trace(shared_data, caching, changes):
    file = shared_data / "mooncake" / "conversation_first20min.jsonl"
    with file.open("rb") as stream:
        calls = in_time_order(islice(read_mooncake(stream, file.name), 400))
    calls = [call for call in calls if call.input_tokens < 20_000][:100]
    trace = []
    for call in calls:
        lengths = [512] * (call.input_tokens // 512) + [call.input_tokens % 512] * (call.input_tokens % 512 > 0)
        content = [text(f"b{name}", tokens) for name, tokens in zip(call.block_ids, lengths, strict=True)]
        content[-1]["cache_control"] = {"type": "ephemeral"}
        body = {"model": "claude-sonnet-4-6", "max_tokens": 8000, "messages": [{"role": "user", "content": content}]}
        trace.append(Sent(call.at_ms, body, ttft_ms=900, output_tokens=call.output_tokens))
    result = check(trace, caching, changes)
    assert result.backtest.error_pusd == 0


@pytest.mark.parametrize(("caching", "changes"), COMBINATIONS)
def test_a_morning_of_the_demonstration(caching, changes):
    """Its own prompts and habits, on models of one tokenizer; nobody leaves or waits in this comparison."""
    asks = [ask for ask in season() if ask.at.date() == date(2026, 11, 3) and ask.at.hour >= 9 and not ask.batch][:120]
    first = asks[0].at
    trace = []
    for ask in asks:
        body = {name: ask.body[name] for name in ("max_tokens", "tools", "system", "messages") if name in ask.body}
        body["model"] = next(model for name, model in OF_ONE_TOKENIZER.items() if name in ask.body["model"])
        after_ms = (ask.at - first) // timedelta(milliseconds=1)
        trace.append(Sent(after_ms, body, ttft_ms=600, output_tokens=min(ask.reply.output_tokens, body["max_tokens"])))
    if "inference_geo" in changes:
        trace = [sent for sent in trace if "haiku" not in sent.body["model"]]
    check(trace, caching, changes)


def turns(count):
    """A conversation of so many turns, a block each, with the breakpoint at its end."""
    said = [{"role": "assistant" if n % 2 else "user", "content": [text(f"m{n}", 1500)]} for n in range(2 * count - 1)]
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 2000,
        "messages": said,
        "cache_control": {"type": "ephemeral"},
    }


MOMENTS = {
    "a lifetime is over at its end": [(0, 1), (300_000, 1)],
    "and not before": [(0, 1), (299_999, 1)],
    "what lies inside is restarted": [(0, 1), (160_000, 2), (320_000, 2), (480_000, 1)],
    "nineteen blocks back": [(0, 1), (1000, 10), (2000, 11)],
    "twenty blocks back": [(0, 1), (1000, 11)],
    "while the first is written": [(0, 1), (300, 1), (600, 1)],
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_in_which_one_rule_decides(name):
    trace = [Sent(at_ms, turns(count), ttft_ms=500) for at_ms, count in MOMENTS[name]]
    result = check(trace, Caching("automatic"), {})
    read = {"a lifetime is over at its end": 0, "and not before": 1500, "what lies inside is restarted": 7500}
    read |= {"nineteen blocks back": 1500 + 28_500, "twenty blocks back": 0, "while the first is written": 1500}
    assert result.steps[0].sums.counts[3] == read[name]


@pytest.mark.parametrize(("day", "read"), [(4, 1500), (5, 0)])
def test_workspaces_shared_what_was_cached_until_they_were_set_apart(day, read):
    # Facts 5.11: apart since 2026-02-05.
    start = datetime(2026, 2, day, 9, tzinfo=UTC)
    body = turns(1) | {"model": "claude-sonnet-4-5-20250929"}
    sents = [Sent(0, body), Sent(60_000, body, workspace=1)]
    orders = [Order(start + timedelta(milliseconds=sent.at_ms), n, sent) for n, sent in enumerate(sents)]
    made = Machine(start).run(orders).entries
    counter = SandboxCounter(traits_of(body["model"]), start.date())
    calls = [msgspec.structs.replace(made[n].call, request=request_of(body, counter)) for n in range(2)]
    assert made[1].call.served.usage.cache_read_tokens == read
    assert replay(calls, [Choice.of(cache=Caching("as_marked"))], BOOK).steps[0].sums.counts[3] == read
