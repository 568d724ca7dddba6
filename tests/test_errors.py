"""An error says what was read, what was expected and what to do; its class says whose fault it is."""

import msgspec
import pytest

from farthing import errors
from farthing.errors import BadConfig, BadInput, DataFault, ErrorRecord, FarthingError, InexactMoney


def test_bad_input_says_what_was_read_what_was_expected_and_what_to_do():
    error = BadInput("read 'x' as a date", "YYYY-MM-DD", "see docs/workloads.md")
    assert str(error) == "read 'x' as a date; expected YYYY-MM-DD; see docs/workloads.md"
    assert (error.read, error.expected, error.next_step) == (
        "read 'x' as a date",
        "YYYY-MM-DD",
        "see docs/workloads.md",
    )


def test_bad_input_leaves_out_what_there_is_not():
    assert str(BadInput("the file is empty")) == "the file is empty"
    assert str(BadInput("the file is empty", next_step="give another")) == "the file is empty; give another"


def _tree(cls, depth=0):
    yield depth, cls.__name__
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


def test_the_tree_drawn_in_the_module_is_the_tree():
    drawn = []
    for line in errors.__doc__.partition("::")[2].splitlines():
        name = line.lstrip(" |`-").split(" ")[0]
        if hasattr(errors, name) and name:
            drawn.append(((len(line) - len(line.lstrip(" |`-"))) // 4 - 1, name))
    assert drawn == list(_tree(FarthingError))


def test_every_error_ends_a_command_with_a_failure():
    assert all(getattr(errors, name).exit_code != 0 for _, name in _tree(FarthingError))


def test_blame_is_in_the_type():
    assert issubclass(BadConfig, BadInput)
    assert issubclass(InexactMoney, DataFault)
    assert not issubclass(DataFault, BadInput)


def test_an_error_record_is_immutable_and_travels_as_json():
    record = ErrorRecord(source="calls.jsonl", line=3, error="read nothing, expected a JSON object")
    assert msgspec.json.decode(msgspec.json.encode(record), type=ErrorRecord) == record
    with pytest.raises(AttributeError):
        record.line = 4
