"""
Usage readers: the bytes or the JSON of strangers in, disjoint counts out. No I/O.

:func:`read_any` picks the reader by shape; the readers themselves are for callers who know what they hold.
``docs/usage-readers.md`` has the table of shapes and rules.
"""

from __future__ import annotations

from farthing.usage.batch import BatchResult, read_batch_line
from farthing.usage.bedrock import InvokeStreamMeter, read_converse, read_invoke
from farthing.usage.detect import SHAPES, read_any, shape_of
from farthing.usage.google import known_from_path, read_raw_predict
from farthing.usage.interface import InputCounts, Known, Quarantined, Shape, Unreadable
from farthing.usage.messages import read_message, read_usage
from farthing.usage.openai_shaped import read_chat, read_response
from farthing.usage.otel import read_span
from farthing.usage.sse import SseMeter
from farthing.usage.stream import EventMeter

__all__ = [
    "SHAPES",
    "BatchResult",
    "EventMeter",
    "InputCounts",
    "InvokeStreamMeter",
    "Known",
    "Quarantined",
    "Shape",
    "SseMeter",
    "Unreadable",
    "known_from_path",
    "read_any",
    "read_batch_line",
    "read_chat",
    "read_converse",
    "read_invoke",
    "read_message",
    "read_raw_predict",
    "read_response",
    "read_span",
    "read_usage",
    "shape_of",
]
