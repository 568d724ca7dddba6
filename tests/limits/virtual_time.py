"""An event loop on which nothing takes time: it jumps to whatever is due next."""

import asyncio
import selectors


class _Jump(selectors.DefaultSelector):
    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        assert timeout is not None, "everybody waits and nothing is due"
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualTime:
    """``run`` a coroutine from second 0 on; ``clock`` is the loop's."""

    def __init__(self):
        self._selector = _Jump()
        self.clock = lambda: self._selector.now

    def run(self, coroutine):
        loop = asyncio.SelectorEventLoop(self._selector)
        loop.time = self.clock
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.close()
