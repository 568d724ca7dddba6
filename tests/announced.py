"""What a command prints before it serves."""

import json


def announced(process):
    """The JSON object that comes first; a command that ends before that fails its test, and keeps nobody waiting."""
    text = ""
    while line := process.stdout.readline():
        text += line
        if line == "}\n":
            return json.loads(text)
    raise AssertionError(f"the command ended with {process.wait()} before it served; it printed {text!r}")
