"""What forwards calls starts without what only the owner of a ledger needs."""

import subprocess
import sys


def test_no_engine_and_no_page_is_brought_along():
    code = (
        "import sys, farthing.cli.serve, farthing.gateway.server, farthing.gateway.supervisor\n"
        "import farthing.gateway.worker\n"
        "print(sorted({'duckdb', 'rich', 'jinja2', 'starlette', 'uvicorn'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
