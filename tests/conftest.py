"""Every test starts from the same empty machine: no home, no settings, no keys, UTC."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

SCRUBBED_PREFIXES = ("ANTHROPIC_", "CLAUDE_", "FARTHING_", "XDG_")
SCRUBBED_NAMES = ("CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR")

# On a busy machine an example may take long, and so may its making, without anything being wrong; and what is set up
# once for all examples of a test is meant so.
NO_FAULTS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("farthing", settings(), deadline=None, suppress_health_check=NO_FAULTS)
settings.load_profile("farthing")


@pytest.fixture(autouse=True)
def scrubbed_environment(tmp_path_factory, monkeypatch):
    """Nothing of the developer's machine reaches a test, and nothing a test writes reaches the machine."""
    home = tmp_path_factory.mktemp("home")
    for name in tuple(os.environ):
        if name.startswith(SCRUBBED_PREFIXES) or name in SCRUBBED_NAMES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return home


@pytest.fixture(scope="session")
def root():
    """Where the repository lies."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real traces that are not part of the repository; a test that asks for it is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real traces (../shared/data beside the repository) are not on this machine")
    return SHARED_DATA


def pytest_collection_modifyitems(items):
    """``-m 'not shared_data'`` leaves out every test that reads real traces."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared_data)


def pytest_runtest_setup(item):
    """The marker alone, without the fixture, skips as well."""
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        pytest.skip("real traces (../shared/data beside the repository) are not on this machine")
