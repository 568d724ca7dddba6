"""An ASGI app on a socket, in the foreground or in a thread: what the sandbox and the dashboard share."""
