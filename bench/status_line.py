"""
How long the status line takes from a cold start, beside a bare interpreter and, where there is one, beside ccusage's.

    python bench/status_line.py [--rounds 31] [--ccusage PATH]

Each round runs every command once, in turn, so that a busy machine slows all of them; the median is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

CALLS = 2_000


def write_transcript(path: Path) -> None:
    """A day of calls: compact JSON, one line each."""
    path.parent.mkdir(parents=True)
    now = datetime.now(UTC)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(CALLS):
            at = (now - timedelta(seconds=40 * (CALLS - number))).isoformat(timespec="milliseconds")
            usage = {
                "input_tokens": 100,
                "output_tokens": 500,
                "cache_creation_input_tokens": 2_000,
                "cache_read_input_tokens": 30_000,
            }
            message = {"id": f"msg_{number}", "model": "claude-opus-4-5-20251101", "stop_reason": "end_turn"}
            row = {
                "type": "assistant",
                "timestamp": at.replace("+00:00", "Z"),
                "sessionId": "s-1",
                "version": "2.1.316",
                "requestId": f"req_{number}",
                "message": message | {"usage": usage},
            }
            stream.write(json.dumps(row, separators=(",", ":")) + "\n")


def elapsed_ms(command: list[str], given: bytes, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, input=given, stdout=subprocess.DEVNULL, env=environment, check=True)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--ccusage", help="the ccusage to measure beside")
    options = parser.parse_args()
    farthing = str(Path(sys.executable).with_name("farthing"))
    with tempfile.TemporaryDirectory() as home:
        transcript = Path(home, "claude", "projects", "-home-dev-app", "s-1.jsonl")
        write_transcript(transcript)
        environment = os.environ | {
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/cache",
            "CLAUDE_CONFIG_DIR": f"{home}/claude",
        }
        model = {"id": "m", "display_name": "M"}
        given = json.dumps({"session_id": "s-1", "transcript_path": str(transcript), "model": model}).encode()
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "farthing statusline": [farthing, "statusline"],
        }
        if options.ccusage:
            commands["ccusage statusline --no-cache"] = [options.ccusage, "statusline", "--no-cache"]
            commands["ccusage statusline"] = [options.ccusage, "statusline"]
        subprocess.run([farthing, "statusline", "--no-cache"], input=given, env=environment, check=True)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                times[name].append(elapsed_ms(command, given, environment))
    for name, found in times.items():
        print(f"{name:32} p50 {statistics.median(found):6.1f} ms   best {min(found):6.1f} ms")


if __name__ == "__main__":
    main()
