"""
The pytest plugin: the fixture ``farthing_sandbox``. pytest finds it by itself wherever farthing is installed.

It imports nothing of farthing until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farthing.testing import Sandbox


@pytest.fixture
def farthing_sandbox() -> Iterator[Sandbox]:
    """A Claude API of one's own for one test: see :class:`farthing.testing.Sandbox`."""
    from farthing.testing import sandbox  # noqa: PLC0415 - every pytest run imports this module

    with sandbox() as running:
        yield running
