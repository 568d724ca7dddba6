"""Banks of both kinds, and clocks that stand where a test puts them."""

from datetime import UTC, datetime

import pytest

from farthing.limits.file import limits_of
from farthing.limits.memory_bank import MemoryBank
from farthing.limits.store import SqliteBank

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USD = 10**12


class Banks:
    """Opens banks on one store, as several processes would."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.path = folder / "limits.sqlite"
        self.memory = MemoryBank()
        self.opened = {}

    def open(self, holder="shared"):
        if self.kind == "memory":
            return self.memory
        return self.opened.setdefault(holder, SqliteBank(self.path))

    def kill(self, holder):
        """The process that opened its bank under that name is gone."""
        if self.kind == "memory":
            self.memory.die(holder)
        else:
            self.opened.pop(holder).close()

    def close(self):
        for bank in self.opened.values():
            bank.close()


@pytest.fixture(params=["memory", "sqlite"])
def banks(request, tmp_path):
    made = Banks(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def limits():
    """Limits from tables of budgets."""

    def build(*budgets, **top):
        return limits_of({"budget": list(budgets), **top}, "limits.toml")

    return build
