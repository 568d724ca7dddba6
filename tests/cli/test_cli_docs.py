"""docs/cli.md has every command and every flag that there is, and none that there is not."""

import importlib
import re

import pytest

from farthing.cli.app import load
from farthing.cli.commands import COMMANDS

EVERYWHERE = {"--json", "-j", "--help", "-h", "--config", "--ledger"}
"""Explained once, at the top of the page."""
ALIASES = "claude"
"""A group whose commands are others under another name."""

HEADING = re.compile(r"^### (.*)$", re.MULTILINE)
FLAG = re.compile(r"`(--?[a-zA-Z][\w-]*)`")


def leaves(path, command):
    """Every command that does something, by its path."""
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name, subcommand in subcommands.items():
        yield from leaves(f"{path} {name}", subcommand)


def flags_of(command):
    return {
        option
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


def sections(page):
    """The flags that each command's section tables, by command."""
    starts = list(HEADING.finditer(page))
    found = {}
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        body = page[start.end() : end.start() if end else len(page)]
        rows = [line.split("|")[1] for line in body.splitlines() if line.startswith("| `-")]
        for name in re.findall(r"`farthing ([^`]*)`", start[1]):
            found[name] = {flag for row in rows for flag in FLAG.findall(row)}
    return found


@pytest.fixture(scope="module")
def documented(root):
    return sections((root / "docs" / "cli.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tree():
    return {
        path: command
        for name, entry in COMMANDS.items()
        if not entry.raw and name != ALIASES
        for path, command in leaves(name, load(name, entry))
    }


def test_every_command_has_a_section_and_every_section_a_command(documented, tree):
    raw = {name for name, entry in COMMANDS.items() if entry.raw}
    assert set(documented) == {*tree, *raw, *({ALIASES} & set(COMMANDS))}


def test_every_flag_is_in_its_table_and_no_other(documented, tree):
    wrong = {
        path: (flags_of(command) - EVERYWHERE) ^ documented[path]
        for path, command in tree.items()
        if path in documented and (flags_of(command) - EVERYWHERE) != documented[path]
    }
    assert wrong == {}


@pytest.mark.parametrize("name", [name for name, entry in COMMANDS.items() if entry.raw])
def test_flags_of_raw_commands_are_those_of_their_help(documented, name):
    """A raw command has no parameters to look at: its ``HELP`` is the list."""
    module = importlib.import_module(COMMANDS[name].target.partition(":")[0])
    told = set(re.findall(r"(?<![\w/-])(--?[a-zA-Z][\w-]*)", module.HELP))
    assert told - EVERYWHERE == documented[name]


def test_every_command_has_json(tree):
    assert [path for path, command in tree.items() if "--json" not in flags_of(command)] == []


def test_every_command_and_flag_says_what_it_does(tree):
    for path, command in tree.items():
        assert command.help, path
        for parameter in command.params:
            assert getattr(parameter, "help", None), (path, parameter.name)


@pytest.mark.skipif(ALIASES not in COMMANDS, reason="no group of aliases")
def test_aliases_take_what_their_namesakes_take(tree):
    for path, command in leaves("", load(ALIASES, COMMANDS[ALIASES])):
        namesake = tree.get(path.strip())
        assert namesake is None or flags_of(command) == flags_of(namesake), path
