"""Conversations as request bodies whose blocks dictate their token counts, drawn by hypothesis."""

from typing import NamedTuple

from hypothesis import strategies as st
from tests.whatif.replay.execution import Sent

MODELS = ["claude-sonnet-4-6", "claude-opus-5", "claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-5"]
GAPS_MS = [0, 1, 400, 30_000, 160_000, 200_000, 299_999, 300_000, 300_001, 1_000_000, 3_600_000]
SIZES = [10, 500, 510, 520, 1020, 1030, 4090, 4100, 60_000]


def text(name, tokens, newer=None):
    mark = f"<<tokens:{tokens}>>" if newer is None else f"<<tokens:{tokens}/{newer}>>"
    return {"type": "text", "text": f"{name} {mark}"}


class Base(NamedTuple):
    """What the requests of one conversation have in common."""

    model: str
    size: int
    tools: int
    system: int
    who: str
    blocks_a_turn: int


def bases(models):
    return st.builds(
        Base,
        st.sampled_from(models),
        st.sampled_from(SIZES),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from("AB"),
        st.sampled_from([1, 1, 1, 3]),
    )


@st.composite
def bodies(draw, base):
    """One request of a conversation: the same beginning as the others, and perhaps breakpoints."""
    turns = draw(st.sampled_from([0, 1, 1, 2, 4, 10, 10, 11, 12]))  # ten turns on are twenty blocks on
    messages = []
    for turn in range(2 * turns + 1):
        role = "assistant" if turn % 2 else "user"
        content = [text(f"{base.who}{turn}.{at}", 700 + 10 * turn) for at in range(base.blocks_a_turn)]
        messages.append({"role": role, "content": content})
    body = {
        "model": base.model,
        "max_tokens": 2000,
        "messages": messages,
        "system": [text(f"s{at}", base.size) for at in range(base.system)],
    }
    if base.tools:
        body["tools"] = [
            {"name": f"t{at}", "description": f"<<tokens:{400 * (at + 1)}>>", "input_schema": {"type": "object"}}
            for at in range(base.tools)
        ]
    for field, values in (("inference_geo", ["us", "global"]), ("output_config", [{"effort": "low"}])):
        if draw(st.integers(0, 9)) == 0:
            body[field] = draw(st.sampled_from(values))
    if body["model"] in {"claude-opus-5", "claude-opus-5-5"} and draw(st.integers(0, 6)) == 0:
        body["speed"] = "fast"
    mark(draw, body)
    return body


def mark(draw, body):
    if draw(st.integers(0, 3)) == 0:
        body["cache_control"] = {"type": "ephemeral", "ttl": draw(st.sampled_from(["5m", "1h"]))}
        return
    blocks = [*body.get("tools", []), *body["system"], *(b for m in body["messages"] for b in m["content"])]
    chosen = sorted(draw(st.sets(st.integers(0, len(blocks) - 1), max_size=4)))
    long = draw(st.integers(0, len(chosen)))
    for number, at in enumerate(chosen):
        blocks[at]["cache_control"] = {"type": "ephemeral", "ttl": "1h" if number < long else "5m"}


@st.composite
def traces(draw, models=MODELS):
    """A dozen requests or fewer, some at one instant, some refused, some left by the client."""
    now_ms, sents = 0, []
    some = draw(st.lists(bases(models), min_size=1, max_size=2))
    for _ in range(draw(st.integers(1, 10))):
        now_ms += draw(st.sampled_from(GAPS_MS))
        ending = draw(st.integers(0, 9))
        sents.append(
            Sent(
                now_ms,
                draw(bodies(draw(st.sampled_from(some)))),
                workspace=draw(st.sampled_from([0, 0, 0, 1])),
                ttft_ms=draw(st.sampled_from([0, 1, 700, 310_000])),
                output_tokens=draw(st.integers(0, 300)),
                refused=draw(st.sampled_from(["bio", "cyber"])) if ending == 0 else "",
                leaves=ending == 1,
            )
        )
    return sents
