"""
Write a tree of Claude Code transcripts that looks like a heavy user's: compact JSON, one line per content block.

    python bench/transcripts/generate.py OUT --mb 200 --files 800 --seed 7

``OUT/projects/<project>/<session>.jsonl`` and ``.../<session>/subagents/agent-<n>.jsonl``. The same arguments give the
same bytes. What makes transcripts hard to count is all there: several lines per response with placeholders on the early
ones, resumed sessions that copy earlier lines, sub-agents, side chains, tool results that dwarf the rest, prompts over
100,000 tokens, fast mode, one-hour writes, synthetic error lines, and lines without a request id.
"""

from __future__ import annotations

import argparse
import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5")
MODEL_WEIGHTS = (40, 30, 15, 8, 7)
LAST_DAY = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 60
WORDS = [
    "the",
    "build",
    "fails",
    "because",
    "value",
    "of",
    "cache",
    "is",
    "None",
    "when",
    "session",
    "resumes",
    "def",
    "read_file(path):",
    "return",
    "open",
    "import",
    "tests",
    "assert",
    "expected",
    "actual",
    "total",
    "import",
    "const",
    "function",
    "export",
    "await",
    "result",
    "error",
    "warning",
    "naïve",
    "café",
    "値",
    "refactor",
    "module",
    "handler",
    "request",
    "response",
    "tokens",
    "price",
    "band",
    "window",
    "offset",
    "digest",
    "schema",
]


@dataclass
class Pool:
    """Escaped text to cut slices from, so that a gigabyte costs seconds."""

    text: str
    cuts: list[int]

    @classmethod
    def make(cls, rng: random.Random, lines: int = 20_000) -> Pool:
        """A pool of *lines* lines; every cut is a line's start."""
        parts, cuts, at = [], [0], 0
        for _ in range(lines):
            words = " ".join(rng.choices(WORDS, k=rng.randint(2, 18)))
            line = json.dumps(f'    {words} "{rng.randint(0, 9999)}"\n', ensure_ascii=False)[1:-1]
            parts.append(line)
            at += len(line)
            cuts.append(at)
        return cls("".join(parts), cuts)

    def slice(self, rng: random.Random, chars: int) -> str:
        """About *chars* characters, already escaped for JSON."""
        count = max(1, min(chars // 80, len(self.cuts) - 2))
        start = rng.randrange(len(self.cuts) - count)
        return self.text[self.cuts[start] : self.cuts[start + count]]


@dataclass
class Session:
    """One conversation being written."""

    project: str
    session_id: str
    at: datetime
    rng: random.Random
    pool: Pool
    agent: bool = False
    model: str = "claude-opus-5-5"
    fast: bool = False
    hour_writes: bool = False
    context_tokens: int = 14_000
    parent: str | None = None
    lines: list[str] = field(default_factory=list)

    def tick(self, seconds_max: float) -> str:
        """Move the clock; the new time as written in transcripts."""
        self.at += timedelta(milliseconds=int(self.rng.uniform(200, seconds_max * 1000)))
        return self.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at.microsecond // 1000:03d}Z"

    def head(self) -> tuple[str, str]:
        """The fields that open a line, and the line's uuid."""
        new = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        parent = f'"{self.parent}"' if self.parent else "null"
        self.parent = new
        text = (
            f'{{"parentUuid":{parent},"isSidechain":{"true" if self.agent else "false"},"userType":"external",'
            f'"cwd":"/home/dev/{self.project}","sessionId":"{self.session_id}","version":"2.1.316","gitBranch":"main",'
        )
        return text, new

    def user(self) -> None:
        """A prompt or a tool's result; results also repeat their content in toolUseResult."""
        head, line_uuid = self.head()
        size = min(120_000, int(self.rng.lognormvariate(7.6, 1.1)))
        text = self.pool.slice(self.rng, size)
        stdout = text[: size // 2].rpartition("    ")[0]
        tool = f"toolu_{self.rng.getrandbits(96):024x}"
        self.lines.append(
            f'{head}"type":"user","message":{{"role":"user","content":[{{"tool_use_id":"{tool}","type":"tool_result",'
            f'"content":"{text}"}}]}},"uuid":"{line_uuid}","timestamp":"{self.tick(20)}",'
            f'"toolUseResult":{{"stdout":"{stdout}","stderr":"","interrupted":false}}}}'
        )
        self.context_tokens += size // 4

    def usage(self, written: int, fresh: int, output: int) -> str:
        """``message.usage`` with *output* tokens."""
        w5, w1 = (0, written) if self.hour_writes else (written, 0)
        speed = f',"speed":"{"fast" if self.fast else "standard"}"' if self.model.startswith("claude-opus-5") else ""
        return (
            f'{{"input_tokens":{fresh},"cache_creation_input_tokens":{written},'
            f'"cache_read_input_tokens":{self.context_tokens - written},'
            f'"cache_creation":{{"ephemeral_5m_input_tokens":{w5},"ephemeral_1h_input_tokens":{w1}}},'
            f'"output_tokens":{output},"service_tier":"standard"{speed},"inference_geo":"global"}}'
        )

    def response(self) -> None:
        """One API response: a line per content block, the final count on the last of them."""
        rng = self.rng
        message_id = f"msg_01{rng.getrandbits(88):022x}"
        request_id = f'"requestId":"req_011{rng.getrandbits(84):021x}",' if rng.random() > 0.01 else ""
        blocks = rng.choices((1, 2, 3, 4), weights=(30, 40, 20, 10))[0]
        written = min(self.context_tokens, int(rng.lognormvariate(7.5, 0.8)))
        fresh, output = rng.randint(1, 30), int(rng.lognormvariate(5.6, 1.0)) + 9
        final_missing = rng.random() < 0.02
        for block in range(blocks):
            last = block == blocks - 1
            stop = '"tool_use"' if last and not final_missing else "null"
            counted = output if last and not final_missing else rng.randint(1, 8)
            head, line_uuid = self.head()
            self.lines.append(
                f'{head}"message":{{"model":"{self.model}","id":"{message_id}","type":"message","role":"assistant",'
                f'"content":[{self.block(block, last=last)}],"stop_reason":{stop},"stop_sequence":null,'
                f'"usage":{self.usage(written, fresh, counted)}}},{request_id}"type":"assistant",'
                f'"uuid":"{line_uuid}","timestamp":"{self.tick(4)}"}}'
            )
        self.context_tokens += output

    def block(self, index: int, *, last: bool) -> str:
        """A content block: thinking with its signature first, text, a tool call last."""
        rng = self.rng
        if index == 0 and not last:
            signature = f"{rng.getrandbits(4000):x}"
            return f'{{"type":"thinking","thinking":"{self.pool.slice(rng, 500)}","signature":"{signature}"}}'
        if last:
            tool = f"toolu_{rng.getrandbits(96):024x}"
            text = self.pool.slice(rng, int(rng.lognormvariate(6.0, 1.0)))
            return f'{{"type":"tool_use","id":"{tool}","name":"Edit","input":{{"path":"a.py","new_string":"{text}"}}}}'
        return f'{{"type":"text","text":"{self.pool.slice(rng, 600)}"}}'

    def synthetic(self) -> None:
        """An API error as Claude Code writes it: no model was billed."""
        head, line_uuid = self.head()
        self.lines.append(
            f'{head}"message":{{"id":"{line_uuid}","model":"<synthetic>","role":"assistant","stop_reason":null,'
            '"type":"message","usage":{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":0,'
            '"cache_read_input_tokens":0},"content":[{"type":"text","text":"API Error: Overloaded"}]},'
            f'"isApiErrorMessage":true,"type":"assistant","uuid":"{line_uuid}","timestamp":"{self.tick(3)}"}}'
        )

    def run(self, bytes_wanted: int) -> int:
        """Turns until about *bytes_wanted* bytes are there; how many were written."""
        written = 0
        while written < bytes_wanted:
            before = len(self.lines)
            self.user()
            self.response()
            if self.rng.random() < 0.01:
                self.synthetic()
            if self.context_tokens > 180_000:
                self.context_tokens = 14_000
            written += sum(len(line.encode()) + 1 for line in self.lines[before:])
        return written


def generate(out: Path, *, mb: int, files: int, seed: int) -> None:
    """Write the tree under *out*."""
    rng = random.Random(seed)
    pool = Pool.make(rng)
    written = number = 0
    projects = [f"-home-dev-app{i:02d}" for i in range(24)]
    while written < mb * 1_000_000:
        number += 1
        start = LAST_DAY - timedelta(days=rng.uniform(0, DAYS), minutes=rng.uniform(0, 600))
        session = Session(
            project=rng.choice(projects),
            session_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            at=start,
            rng=rng,
            pool=pool,
            model=rng.choices(MODELS, weights=MODEL_WEIGHTS)[0],
            fast=rng.random() < 0.05,
            hour_writes=rng.random() < 0.3,
        )
        written += _write(out, session, int(rng.lognormvariate(0, 0.8) / 1.38 * mb * 1_000_000 / files))


def _write(out: Path, session: Session, bytes_wanted: int) -> int:
    """One session, now and then with a sub-agent's file and a resumed copy."""
    rng = session.rng
    folder = out / "projects" / session.project
    written = session.run(bytes_wanted)
    _save(folder / f"{session.session_id}.jsonl", session.lines)
    if rng.random() < 0.15:
        agent = Session(session.project, session.session_id, session.at, rng, session.pool, agent=True)
        agent.model = rng.choice(("claude-haiku-5-5", "claude-sonnet-5-5"))
        written += agent.run(bytes_wanted // 4)
        _save(folder / session.session_id / "subagents" / f"agent-{rng.getrandbits(32):08x}.jsonl", agent.lines)
    if rng.random() < 0.10:
        copied = session.lines[: rng.randint(1, len(session.lines))]
        old, session.session_id = session.session_id, str(uuid.UUID(int=rng.getrandbits(128), version=4))
        session.lines = [line.replace(old, session.session_id) for line in copied]
        written += sum(len(line.encode()) + 1 for line in copied) + session.run(bytes_wanted // 3)
        _save(folder / f"{session.session_id}.jsonl", session.lines)
    return written


def _save(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mb", type=int, default=200, help="bytes to write, in millions (default 200)")
    parser.add_argument("--files", type=int, default=800, help="about how many main sessions (default 800)")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    generate(args.out, mb=args.mb, files=args.files, seed=args.seed)


if __name__ == "__main__":
    main()
