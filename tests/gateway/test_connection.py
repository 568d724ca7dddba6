"""The connection to the upstream, without one: what comes is put in by hand."""

import asyncio

from farthing.gateway.connection import Connection
from farthing.gateway.deadlines import Deadlines

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"


class Transport:
    """Notes whether it is read from."""

    def __init__(self):
        self.reading = True

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def abort(self):
        pass


def test_whoever_wants_no_more_is_handed_no_more():
    """Also where each piece comes by itself, so that none ever waits when the one before has been taken."""

    async def passed():
        connection = Connection(Deadlines(10, asyncio.get_running_loop()))
        connection.connection_made(Transport())
        connection.begin(to_head=False)
        connection.data_received(HEAD)
        taken = []

        def sink(data):
            taken.append(data)
            return False

        going = asyncio.ensure_future(connection.pass_to(sink))
        for _ in range(3):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            connection.data_received(b"x" * 10)
        await asyncio.sleep(0)
        assert going.done()
        return going.result(), taken

    assert asyncio.run(passed()) == (False, [b"x" * 10])


def test_the_last_piece_ends_it_for_whoever_wants_no_more():
    async def passed():
        connection = Connection(Deadlines(10, asyncio.get_running_loop()))
        connection.connection_made(Transport())
        connection.begin(to_head=False)
        connection.data_received(HEAD + b"x" * 90)
        taken = []

        def sink(data):
            taken.append(data)
            return False

        assert not await connection.pass_to(sink)
        connection.data_received(b"y" * 10)
        ends = [await connection.pass_to(sink), await connection.pass_to(sink)]
        return ends, taken

    assert asyncio.run(passed()) == ([False, True], [b"x" * 90, b"y" * 10])
