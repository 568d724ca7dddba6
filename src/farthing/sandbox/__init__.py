"""
A Claude API that bills faithfully, on one's own machine: the pure part.

:mod:`~farthing.sandbox.world` holds all state, :mod:`~farthing.sandbox.messages` answers requests. No I/O, no waiting:
time is a :class:`~farthing.sandbox.clock.Clock`, delays are numbers in the events.
"""
