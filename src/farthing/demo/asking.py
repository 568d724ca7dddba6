"""
A row of the month as the request that an application would have sent.

The prompts hold no words worth reading: marks dictate to the sandbox how long each part is (docs/sandbox.md), and how
long the answer shall be. What the cache does is left to the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.demo.applications import APPLICATIONS
from farthing.sandbox.replies import Refusal, Reply, ServerPass
from farthing.sandbox.tokenizer import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.demo.applications import Application

_BY_NAME = {application.name: application for application in APPLICATIONS}
_OUTPUT_TOKENS_MIN = 1_024
_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
_RESULT_TOKENS = 600


class Asking(NamedTuple):
    """
    One request.

    Attributes:
        params: For ``client.messages.create``, or ``params`` of a batch's request.
        headers: Whom it belongs to, in the gateway's own headers.
        reply: What the sandbox shall answer, where an order in the prompt cannot say it; None elsewhere.

    """

    params: dict[str, Any]
    headers: dict[str, str]
    reply: Reply | None


def asking(row: Mapping[str, Any]) -> Asking:
    """The request behind one row of :func:`farthing.demo.traffic.traffic`."""
    application = _BY_NAME[row["tags"]["project"]]
    usage, refused = row["usage"], row["stop_reason"] == "refusal"
    searches = usage.get("server_tool_use", {}).get("web_search_requests", 0)
    prompt_tokens = sum(
        usage[name] for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    output_tokens = usage["output_tokens"]
    question = f"{row['id']} {mark(prompt_tokens - application.prefix_tokens)} <<output:{output_tokens}>>"
    params: dict[str, Any] = {
        "model": row["model"],
        "max_tokens": max(_OUTPUT_TOKENS_MIN, output_tokens),
        "system": [_instructions(application, row["tags"])],
        "messages": [{"role": "user", "content": question}],
    }
    reply = None
    if refused:
        reply = Reply(refusal=Refusal(category="cyber"))
    elif searches:
        params["tools"] = [_SEARCH]
        loop = tuple(ServerPass(result_tokens=_RESULT_TOKENS, output_tokens=0) for _ in range(searches))
        reply = Reply(output_tokens=output_tokens, loop=loop)
    headers = {f"x-farthing-tag-{name}": value for name, value in row["tags"].items()}
    return Asking(params, headers, reply)


def _instructions(application: Application, tags: Mapping[str, str]) -> dict[str, Any]:
    """The same for all callers of one version; marked for caching whether or not the model caches so short a one."""
    control = {"type": "ephemeral", "ttl": "1h" if application.cache_ttl_s == 3_600 else "5m"}
    text = f"Instructions of the {application.name}, {tags['prompt_version']}. {mark(application.prefix_tokens)}"
    return {"type": "text", "text": text, "cache_control": control}
