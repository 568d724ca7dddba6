"""The dashboard's socket, and when it is given back."""

import urllib.request

from farthing.dashboard.server import DashboardServer


async def app(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_it_ends_once_nobody_looks_and_each_look_puts_that_off():
    server = DashboardServer(app, idle_s=3)
    began_at_s = server._asked_at_s
    server.start()
    with urllib.request.urlopen(server.base_url, timeout=10) as answer:
        assert answer.status == 204
    assert server._asked_at_s > began_at_s
    server._thread.join(30)
    assert not server._thread.is_alive()
    server.stop()
