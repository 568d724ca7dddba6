"""
Google Cloud's ``rawPredict`` and ``streamRawPredict``: Anthropic's shapes at Google's addresses.

The response says nothing of where it was served; the URL does, and it holds the priced model id too.

Source: facts 14.1 and 14.4, checked 2026-11-20.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from farthing.errors import BadInput
from farthing.usage.interface import NOTHING_KNOWN, InputCounts, Known, Payload, Shape, on_channel
from farthing.usage.messages import read_message
from farthing.usage.sse import SseMeter

if TYPE_CHECKING:
    from farthing.call import Served

SHAPE = Shape(name="google rawPredict", input_counts=InputCounts.EXCLUSIVE, splits_writes=True, prompt_total=False)

_PATH = re.compile(r"/locations/([^/]+)/publishers/anthropic/models/([^/:?]+):(?:rawPredict|streamRawPredict)")


def known_from_path(path: str) -> Known:
    """
    Model and location of a call, from its URL or path.

    Raises:
        BadInput: Not the path of a prediction by one of Anthropic's models.

    """
    found = _PATH.search(path)
    if found is None:
        raise BadInput(
            "read the path of a Google Cloud call",
            ".../locations/LOCATION/publishers/anthropic/models/MODEL:rawPredict or :streamRawPredict",
        )
    return Known(model=found[2], channel="google_cloud", location=found[1])


def read_raw_predict(payload: Payload, known: Known = NOTHING_KNOWN) -> Served:
    """
    Read the body of a ``rawPredict`` response.

    Raises:
        BadInput: As :func:`farthing.usage.messages.read_message`.

    """
    return read_message(payload, on_channel(known, "google_cloud"))


def stream_meter(known: Known = NOTHING_KNOWN) -> SseMeter:
    """A reader of one ``streamRawPredict`` response."""
    return SseMeter(on_channel(known, "google_cloud"))
