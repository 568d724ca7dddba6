"""Why a call costs what it costs: its facts, every line as count x rate = amount, and where each rate was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.reports.sums import token_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.call import Call, Request
    from farthing.ledger.interface import Posting
    from farthing.prices.bill import Bill, Line
    from farthing.prices.contracts import ContractBill
    from farthing.prices.schema import Source


class Explained(NamedTuple):
    """
    A call, its bill by the book in force, and what the ledger posted (None for a call that is in no ledger).

    ``sources`` holds what the bill's lines cite, by key; ``contract`` the call under the contract in force, without
    the month's volume credit, or None where there is no contract.
    """

    call: Call
    bill: Bill
    posting: Posting | None
    sources: dict[str, Source]
    contract: ContractBill | None = None


def explain(
    call: Call,
    bill: Bill,
    posting: Posting | None,
    sources: Mapping[str, Source],
    contract: ContractBill | None = None,
) -> Explained:
    """Gather what an explanation shows."""
    cited = dict.fromkeys(key for line in bill.lines for key in line.source.split(", ") if key in sources)
    return Explained(call, bill, posting, {key: sources[key] for key in cited}, contract)


def facts(call: Call) -> list[tuple[str, str]]:
    """What decides the price, and who it was for: (name, text), without prompt text for there is none."""
    served, usage = call.served, call.served.usage
    where = served.channel + (f", {served.location}" if served.location else "")
    found = [
        ("call", call.call_id),
        ("sent", call.sent_at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("model", served.model),
        ("channel", where),
        ("service tier", f"{served.service_tier}, speed {served.speed}"),
        ("inference geo", served.inference_geo or ""),
        ("stop reason", _stop(call)),
        ("message id", served.message_id or ""),
        ("request id", served.request_id or ""),
        ("source", call.source),
        *call.dims.items(),
        *asked(call),
        ("prompt size", f"{usage.prompt_tokens:,} tokens"),
        ("output", _output(call)),
    ]
    return [(name, text) for name, text in found if text]


def asked(call: Call) -> list[tuple[str, str]]:
    """What the request asked for, where its source knows: (name, text); empty texts for what it left out."""
    request = call.request
    if request is None:
        return []
    budget = "" if request.thinking_budget_tokens is None else f", budget {request.thinking_budget_tokens:,} tokens"
    breakpoints = sum(block.ttl is not None for block in request.blocks)
    blocks = f"{len(request.blocks):,} blocks, {breakpoints} of them with a cache breakpoint" if request.blocks else ""
    return [
        ("asked for", ", ".join(filter(None, (request.model, "streamed" if request.stream else "")))),
        ("max tokens", "" if request.max_tokens is None else f"{request.max_tokens:,}"),
        ("effort", request.effort or ""),
        ("thinking", request.thinking + budget if request.thinking else ""),
        ("tools", f"{request.tools:,}, about {request.tools_tokens:,} tokens" if request.tools else ""),
        ("prompt", blocks),
    ]


def formula(line: Line) -> str:
    """
    One line of a bill as arithmetic: ``2,095 x $3 / MTok = $0.006285``.

    A part that is not billed shows its rate all the same; its amount is 0 and its rule says why.
    """
    if line.usd_per_mtok is None and line.usd_per_unit is None:
        return f"{line.count:,} x no published rate"
    rate = f"${line.usd_per_unit} each" if line.usd_per_mtok is None else f"${line.usd_per_mtok} / MTok"
    amount = "unpriced" if line.pusd is None else f"${money.usd_text(line.pusd)}"
    return f"{line.count:,} x {rate} = {amount}"


def explained_json(explained: Explained) -> dict[str, Any]:
    """The explanation as JSON values: the call's facts, its bill, what was posted, and the sources."""
    call, posting = explained.call, explained.posting
    served = call.served
    return {
        "call_id": call.call_id,
        "sent_at": call.sent_at.isoformat(),
        "source": call.source,
        "model": served.model,
        "channel": served.channel,
        "location": served.location,
        "service_tier": served.service_tier,
        "speed": served.speed,
        "inference_geo": served.inference_geo,
        "stop_reason": served.stop_reason,
        "message_id": served.message_id,
        "request_id": served.request_id,
        "dims": call.dims,
        "tokens": token_counts(served.usage),
        "thinking_tokens": served.usage.thinking_tokens,
        "request": _request_json(call.request),
        "bill": explained.bill.to_json(),
        "contract": None if explained.contract is None else explained.contract.to_json(),
        "posted": None if posting is None else posted_json(posting),
        "sources": {key: {"url": source.url, "as_of": source.as_of} for key, source in explained.sources.items()},
    }


def _request_json(request: Request | None) -> dict[str, Any] | None:
    """A request with its blocks counted; None where it is not known."""
    if request is None:
        return None
    told = {name: getattr(request, name) for name in request.__struct_fields__ if name != "blocks"}
    breakpoints = sum(block.ttl is not None for block in request.blocks)
    return {**told, "blocks": len(request.blocks), "breakpoints": breakpoints}


def posted_json(posting: Posting) -> dict[str, Any]:
    """What the ledger holds, as JSON values."""
    return {
        "list_usd": None if posting.list_pusd is None else money.usd_text(posting.list_pusd),
        "contract_usd": None if posting.contract_pusd is None else money.usd_text(posting.contract_pusd),
        "kind": str(posting.kind),
        "book_version": posting.book_version,
    }


def _stop(call: Call) -> str:
    served = call.served
    return f"{served.stop_reason}, {served.refusal_category}" if served.refusal_category else served.stop_reason or ""


def _output(call: Call) -> str:
    usage = call.served.usage
    thinking = f", {usage.thinking_tokens:,} of them thinking" if usage.thinking_tokens else ""
    return f"{usage.output_tokens:,} tokens{thinking}"
