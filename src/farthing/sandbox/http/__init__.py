"""
The sandbox over HTTP: the only part of it that waits, sends and receives.

:mod:`~farthing.sandbox.http.app` lists the routes, :mod:`~farthing.sandbox.http.server` runs them on a socket.
"""
