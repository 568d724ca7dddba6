"""
The documentation is true: links resolve, snippets run, dependencies are explained, and nothing names a machine.

Every ```` ```python ```` block of the README and of docs/ runs, top to bottom, the blocks of one page sharing their
names; a block with ``>>>`` must print what it shows. A block that cannot run is no ```` ```python ```` block: tag it
``text``. Examples in docstrings run as well.
"""

import doctest
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MODULES_WITH_EXAMPLES = sorted(
    file for file in (ROOT / "src" / "farthing").rglob("*.py") if ">>> " in file.read_text(encoding="utf-8")
)

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


def name_of(file):
    return str(file.relative_to(ROOT))


def anchors(page):
    """What a heading is called in a link: lower case, words joined by hyphens, other signs dropped."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def broken_links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def python_blocks(page):
    return [code for language, code in FENCE.findall(page.read_text(encoding="utf-8")) if language == "python"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page):
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=name_of)
def test_python_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__snippet__"}
    for number, code in enumerate(python_blocks(page), 1):
        run_snippet(code, names, f"{name_of(page)}, python block {number}")


def run_snippet(code, names, where):
    if ">>> " not in code:
        exec(compile(code, where, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(code, names, where, where, 0)
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test, out=report.append, clear_globs=False).failed == 0, "".join(report)
    names.update(test.globs)


@pytest.mark.parametrize("file", MODULES_WITH_EXAMPLES, ids=name_of)
def test_examples_in_docstrings_print_what_they_show(file):
    parts = file.relative_to(ROOT / "src").with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_each_dependency_has_its_line_of_reason_and_each_line_its_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for more in (project["project"].get("optional-dependencies", {}), project["dependency-groups"]):
        declared += [requirement for requirements in more.values() for requirement in requirements]
    reasons = re.findall(r"(?m)^- `([\w.-]+)`: \w", (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"))
    assert sorted(reasons) == sorted({re.match(r"[\w.-]+", requirement)[0] for requirement in declared})


MACHINE_PATHS = re.compile("|".join(f"/{folder}/" for folder in ("work", "root", "tmp", "opt")))
REGISTRY_HOSTS = re.compile("|".join(("pypi" + r"\.org", "python" + "hosted", "npm" + "js")))


def tracked_text_files():
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nothing says which files belong to the repository")
    for name in filter(None, listed.split("\0")):
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # binary, or deleted and not yet committed
            continue


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRY_HOSTS], ids=["machine paths", "registry hosts"])
def test_no_tracked_file_names_a_machine(pattern):
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](there.md) [b](there.md#the-one-heading) [c](#here) [d](https://example.org/x)\n# Here", []),
        ("[a](gone.md)", ["gone.md"]),
        ("[a](there.md#gone)", ["there.md#gone"]),
        ("```text\n[a](gone.md)\n```\n[b](#gone)", ["#gone"]),
    ],
)
def test_a_broken_link_is_seen(tmp_path, text, broken):
    (tmp_path / "there.md").write_text("## The (one) heading\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert list(broken_links(page)) == broken


def test_a_snippet_that_prints_something_else_is_seen():
    names = {}
    run_snippet("x = 1\n", names, "page")
    run_snippet(">>> y = x + 1\n>>> y\n2\n", names, "page")
    assert names["y"] == 2
    with pytest.raises(AssertionError, match="Expected:"):
        run_snippet(">>> y\n3\n", names, "page")
