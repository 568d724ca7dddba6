"""A machine with its own data and settings folders, and an editable copy of the shipped book."""

import shutil

import pytest

from farthing.prices.book import DATA
from farthing.prices.installed import default_book


@pytest.fixture
def machine(scrubbed_environment, monkeypatch, tmp_path):
    """Folders of this test alone; the book in force is read anew before and after."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    default_book.cache_clear()
    yield tmp_path
    default_book.cache_clear()


class Draft:
    """A copy of the shipped book that a test may edit."""

    def __init__(self, folder):
        self.folder = folder

    def edit(self, file, old, new):
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) >= 1, old
        path.write_text(text.replace(old, new, 1))
        return self

    def add_row(self, model_name, **row):
        """One more row for the model of this name, right behind its other rows."""
        for path in (self.folder / "anthropic").glob("*.toml"):
            text = path.read_text()
            if f'name = "{model_name}"\n' in text:
                at = text.index(f'name = "{model_name}"\n')
                following = text.find("\n[[model]]\n", at)
                end = len(text) if following < 0 else following
                lines = "".join(f"{key} = {value}\n" for key, value in row.items())
                path.write_text(text[:end] + f"\n[[model.rate]]\n{lines}" + text[end:])
                return self
        raise AssertionError(model_name)

    def dated(self, day):
        return self.edit("modifiers.toml", "as_of = 2026-11-20", f"as_of = {day}")


@pytest.fixture
def draft(tmp_path):
    return Draft(shutil.copytree(DATA, tmp_path / "draft"))
