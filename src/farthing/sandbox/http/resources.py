"""Models, batches and files over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from farthing.sandbox import batch, files
from farthing.sandbox.messages import identity_headers
from farthing.sandbox.models import get_model, list_models, with_fallbacks
from farthing.sandbox.paging import list_json

if TYPE_CHECKING:
    from farthing.sandbox.batch import Batch
    from farthing.sandbox.http.visit import Visit

_FORM_BYTES_MAX = 64 * 1024
"""What a form may be longer than its file."""


async def models(visit: Visit) -> Response:
    """``GET /v1/models``."""
    world = visit.state.world
    shown = list_models(world.book, world.clock.now().date())
    return visit.answer(list_json([_model(visit, one) for one in shown], visit.query))


async def model(visit: Visit) -> Response:
    """``GET /v1/models/{id}``."""
    world = visit.state.world
    shown = get_model(world.book, visit.request.path_params["model_id"], world.clock.now().date())
    return visit.answer(_model(visit, shown))


async def create_batch(visit: Visit) -> Response:
    """``POST /v1/messages/batches``."""
    visit.state.batches.admit(visit.caller)
    body = await visit.body(batch.BODY_BYTES_MAX)
    return visit.answer(_shown(visit, visit.state.batches.create(visit.caller, visit.headers, body)))


async def list_batches(visit: Visit) -> Response:
    """``GET /v1/messages/batches``."""
    visit.state.batches.admit(visit.caller)
    shown = [_shown(visit, one) for one in visit.state.batches.owned_by(visit.caller)]
    return visit.answer(list_json(shown, visit.query))


async def get_batch(visit: Visit) -> Response:
    """``GET /v1/messages/batches/{id}``."""
    visit.state.batches.admit(visit.caller)
    return visit.answer(_shown(visit, visit.state.batches.find(visit.caller, _id(visit))))


async def cancel_batch(visit: Visit) -> Response:
    """``POST /v1/messages/batches/{id}/cancel``."""
    visit.state.batches.admit(visit.caller)
    return visit.answer(_shown(visit, visit.state.batches.cancel(visit.caller, _id(visit))))


async def delete_batch(visit: Visit) -> Response:
    """``DELETE /v1/messages/batches/{id}``."""
    visit.state.batches.admit(visit.caller)
    return visit.answer(visit.state.batches.delete(visit.caller, _id(visit)))


async def batch_results(visit: Visit) -> Response:
    """``GET /v1/messages/batches/{id}/results``: JSON lines."""
    visit.state.batches.admit(visit.caller)
    lines = await asyncio.to_thread(visit.state.batches.results, visit.caller, _id(visit))  # a third of a second
    headers = dict(identity_headers(visit.caller, visit.request_id))
    return Response(b"".join(line + b"\n" for line in lines), headers=headers, media_type="application/x-jsonl")


async def upload_file(visit: Visit) -> Response:
    """``POST /v1/files``."""
    body = await visit.body(files.FILE_BYTES_MAX + _FORM_BYTES_MAX)
    content_type = visit.headers.get("content-type", "")
    return visit.answer(visit.state.world.files.upload(visit.caller, content_type, body).to_json())


async def list_files(visit: Visit) -> Response:
    """``GET /v1/files``."""
    return visit.answer(
        list_json([one.to_json() for one in visit.state.world.files.owned_by(visit.caller)], visit.query)
    )


async def get_file(visit: Visit) -> Response:
    """``GET /v1/files/{id}``."""
    return visit.answer(visit.state.world.files.find(visit.caller, visit.request.path_params["file_id"]).to_json())


async def delete_file(visit: Visit) -> Response:
    """``DELETE /v1/files/{id}``."""
    return visit.answer(visit.state.world.files.delete(visit.caller, visit.request.path_params["file_id"]))


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["batch_id"])


def _model(visit: Visit, shown: dict[str, Any]) -> dict[str, Any]:
    if not any(beta.startswith("server-side-fallback-") for beta in visit.betas):
        return shown
    world = visit.state.world
    return with_fallbacks(shown, world.book, world.clock.now().date())


def _shown(visit: Visit, batch: Batch) -> dict[str, Any]:
    return batch.to_json(visit.state.world.clock.now(), visit.base_url)
