"""Arrows between rooms point one way, and third-party packages stay in the rooms that may know them."""

import ast
import graphlib
import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "farthing"

ORDER = (
    ("errors",),
    ("units",),
    ("money",),
    ("config",),
    ("call",),
    ("prices",),
    ("usage",),
    ("tokens",),
    ("prompts",),
    ("ledger",),
    ("sources",),
    ("reports",),
    ("limits",),
    ("whatif",),
    ("alerts",),
    ("estimate",),
    ("serving",),
    ("sandbox",),
    ("gateway",),
    ("testing",),
    ("pytest_plugin",),
    ("demo",),
    ("dashboard",),
    ("api",),
    ("farthing",),
    ("cli",),
    ("__main__",),
)
"""
Who may import whom: a room imports only rooms above it. Rooms on one line stand beside each other and import neither.
``farthing`` is the package's own page of public names. docs/architecture.md lists the same order.
"""

THIRD_PARTY = {
    "anthropic": {"demo"},
    "backports": {"gateway"},
    "brotli": {"gateway"},
    "cryptography": {"prices"},
    "duckdb": {"ledger"},
    "httptools": {"gateway"},
    "jinja2": {"dashboard"},
    "msgspec": {room for line in ORDER for room in line},
    "pytest": {"pytest_plugin"},
    "rich": {"cli", "reports"},
    "starlette": {"dashboard", "sandbox", "serving"},
    "typer": {"cli"},
    "uvicorn": {"serving"},
    "uvloop": {"gateway"},
}
"""Which rooms may import a package that is not ours."""

RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}


class Arrow(NamedTuple):
    """One import, wherever it stands in the file: late and type-checking imports bind as well."""

    importer: str
    imported: str
    line: int

    def __str__(self):
        return f"{self.importer}, line {self.line}: imports {self.imported}"


def module_name(file, package):
    parts = [package.name, *file.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """``farthing.prices.engine`` is in ``prices``; the package itself is a room of its own."""
    return module.split(".")[1] if "." in module else module


def arrows(package):
    """Every import under *package*, as (importing module, imported module or name, line)."""
    files = {module_name(file, package): file for file in sorted(package.rglob("*.py"))}
    return [
        Arrow(module, target, line)
        for module, file in files.items()
        for target, line in _targets(ast.parse(file.read_text(encoding="utf-8")), files)
    ]


def _targets(tree, modules):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            yield from ((target, node.lineno) for target in sorted(submodules & modules.keys()))
            if not submodules <= modules.keys():
                yield base, node.lineno


def ours(arrow, package):
    return arrow.imported.split(".")[0] == package.name


def outward(found, package):
    """Arrows that leave a room for one that is not further in."""
    crossing = [(a, room_of(a.importer), room_of(a.imported)) for a in found if ours(a, package)]
    return [str(a) for a, here, there in crossing if here != there and _rank(there) >= _rank(here)]


def _rank(room):
    return RANK.get(room, len(RANK))  # a room without a place is outermost; another test names it


def cycle(found, package):
    """The modules of one import cycle, or an empty list."""
    graph = {}
    for arrow in found:
        if ours(arrow, package):
            graph.setdefault(arrow.importer, set()).add(arrow.imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def strangers(found, package):
    """Imports of third-party packages in rooms that may not know them, and relative imports."""
    welcome_everywhere = {package.name, *sys.stdlib_module_names, "compression"}  # of Python 3.14
    packages = [(arrow, arrow.imported.split(".")[0]) for arrow in found]
    return [
        str(arrow)
        for arrow, name in packages
        if name not in welcome_everywhere and room_of(arrow.importer) not in THIRD_PARTY.get(name, ())
    ]


@pytest.fixture(scope="module")
def found():
    return arrows(PACKAGE)


def test_no_arrow_points_outward(found):
    assert outward(found, PACKAGE) == []


def test_no_modules_import_one_another_in_a_circle(found):
    assert " -> ".join(cycle(found, PACKAGE)) == ""


def test_third_party_packages_stay_in_their_rooms_and_no_import_is_relative(found):
    assert strangers(found, PACKAGE) == []


def test_each_room_on_disk_has_its_place_in_the_order_and_the_other_way_round():
    on_disk = {room_of(module_name(file, PACKAGE)) for file in PACKAGE.rglob("*.py")}
    assert on_disk == set(RANK)


def test_each_third_party_package_is_declared_and_each_declared_one_is_placed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = sum(project["optional-dependencies"].values(), project["dependencies"])
    declared = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
    assert declared - {"tzdata"} == set(THIRD_PARTY) - {"pytest"}  # data for zoneinfo; there when it loads a plugin


def test_the_reader_sees_the_same_order():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = [tuple(re.findall(r"`(\w+)`", line.partition(":")[0])) for line in re.findall(r"(?m)^\d+\. (.*)$", text)]
    assert tuple(listed) == ORDER


@pytest.fixture
def house(tmp_path):
    """A small package in which each test plants one fault."""
    package = tmp_path / "farthing"
    for name, text in {
        "__init__": "",
        "money": "",
        "prices/__init__": "from farthing import money",
        "prices/book": "from farthing.prices import rates",
        "prices/rates": "",
        "cli/__init__": "import farthing.prices.book",
    }.items():
        file = package / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return package


def test_a_sound_house_passes(house):
    found = arrows(house)
    assert (outward(found, house), cycle(found, house), strangers(found, house)) == ([], [], [])


@pytest.mark.parametrize(
    "planted",
    [
        "from farthing.prices import book",
        "import farthing.prices.book",
        "from farthing.prices.book import Book",
        "def late():\n    from farthing.prices import book",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from farthing.prices.book import Book",
        "from farthing import price",
    ],
)
def test_an_outward_arrow_is_seen_however_it_is_written(house, planted):
    (house / "money.py").write_text(planted)
    (seen,) = outward(arrows(house), house)
    assert seen.startswith("farthing.money, line ")


def test_a_circle_inside_a_room_is_seen(house):
    (house / "prices" / "rates.py").write_text("from farthing.prices.book import Book")
    assert set(cycle(arrows(house), house)) == {"farthing.prices.book", "farthing.prices.rates"}


@pytest.mark.parametrize(
    "planted", ["import duckdb", "from rich.table import Table", "from .money import x", "import numpy"]
)
def test_a_stranger_and_a_relative_import_are_seen(house, planted):
    (house / "prices" / "rates.py").write_text(planted)
    (seen,) = strangers(arrows(house), house)
    assert seen.startswith("farthing.prices.rates, line 1: imports ")
