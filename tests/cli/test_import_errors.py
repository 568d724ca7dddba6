from farthing.cli.imports import told_once
from farthing.errors import ErrorRecord


def test_one_fault_of_many_rows_is_told_once_with_its_places():
    records = [ErrorRecord(source="a.jsonl", line=n, error="read a row without a time") for n in (1, 2, 5, 9, 12, 40)]
    records.append(ErrorRecord(source="a.jsonl", line=3, error="read no JSON"))
    records.append(ErrorRecord(source="b.jsonl", error="read a folder"))
    assert told_once(records) == [
        "a.jsonl:1, 2, 5, 9 and 2 more: read a row without a time",
        "a.jsonl:3: read no JSON",
        "b.jsonl: read a folder",
    ]
