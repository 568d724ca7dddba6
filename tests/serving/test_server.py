"""An app on a socket."""

import urllib.request

import pytest

from farthing.errors import FarthingError
from farthing.serving import server as serving
from farthing.serving.server import Server


async def app(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_it_answers_from_its_start_to_its_stop_and_gives_the_port_back():
    server = Server(app, name="app", host="127.0.0.1", port=0)
    server.start()
    with urllib.request.urlopen(server.base_url, timeout=10) as answer:
        assert answer.status == 204
        assert "server" not in answer.headers
    server.stop()
    assert not server._thread.is_alive()
    assert server._socket.fileno() == -1


def test_one_that_does_not_come_up_says_which_and_where(monkeypatch):
    monkeypatch.setattr(serving, "_STARTUP_S", 0.0)
    monkeypatch.setattr(Server, "run", lambda _: None)
    server = Server(app, name="app", host="127.0.0.1", port=0)
    with pytest.raises(FarthingError, match=f"the app at {server.base_url} did not come up within 0 s"):
        server.start()
    server.stop()
