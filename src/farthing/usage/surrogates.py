r"""
Half of an emoji, escaped: ``"\ud83d"`` without its second half.

JavaScript writes it when a text is cut between the two, so it turns up in transcripts and tool results. JSON allows it,
strict decoders do not, and one cut emoji in a text that nobody reads must not lose the counts beside it.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\."  # any other escape, so that a backslash which is itself escaped begins nothing
)


def without_lone_surrogates(data: bytes) -> bytes:
    """*data* with the replacement character for each half of a pair that stands alone; the same object if none does."""
    mended = _ESCAPE.sub(lambda found: b"\\ufffd" if found["alone"] else found[0], data)
    return data if mended == data else mended
