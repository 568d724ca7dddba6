"""
What every answer carries and every request must show: headers, a name we go by, a session, a token against forgery.

Host: a page of another site may let its own name point to this machine (DNS rebinding) and then read us as itself. So
only names we were given are answered to; an address cannot be rebound. Cookies are ``SameSite=Strict`` and
``HttpOnly``; a POST must come from our own pages and show the session's token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from farthing.dashboard.access import User

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all a browser sends our own forms with the origin "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
COOKIE = "farthing_session"
THEME_COOKIE = "farthing_theme"
SESSION_S = 12 * 3600
SESSIONS_MAX = 1_000
_ID = re.compile(r"[A-Za-z0-9_-]{43}")
_PORT = re.compile(r":\d{1,5}$")


class Sessions:
    """
    Who is signed in. Held in memory: whoever restarts the dashboard signs everybody out.

    Args:
        now_s: A clock that never goes back, in seconds.

    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._secret = secrets.token_bytes(32)
        self._now_s = now_s
        self._lock = threading.Lock()
        self._users: OrderedDict[str, tuple[User, float]] = OrderedDict()

    @staticmethod
    def new_id() -> str:
        """An id that nobody guesses."""
        return secrets.token_urlsafe(32)

    def sign_in(self, user: User) -> str:
        """The id of a new session: never one that a visitor brought."""
        session = self.new_id()
        with self._lock:
            self._users[session] = (user, self._now_s() + SESSION_S)
            while len(self._users) > SESSIONS_MAX:
                self._users.popitem(last=False)
        return session

    def user(self, session: str) -> User | None:
        """Whose session that is; None: nobody's, or it has ended."""
        with self._lock:
            user, ends_at_s = self._users.get(session, (None, 0.0))
            if user is not None and self._now_s() >= ends_at_s:
                del self._users[session]
                return None
            return user

    def sign_out(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._users.pop(session, None)

    def form_token(self, session: str) -> str:
        """What a form of that session has to send with it."""
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session: str, token: str) -> bool:
        """Whether *token* is that session's."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())


def is_session_id(text: str) -> bool:
    """Whether *text* looks like an id of ours."""
    return _ID.fullmatch(text) is not None


def is_our_name(host: str, names: frozenset[str]) -> bool:
    """
    Whether a Host header names us: an address, ``localhost``, or one of *names*; with any port.

    >>> [is_our_name(name, frozenset()) for name in ("127.0.0.1:8790", "evil.example", "[::1]")]
    [True, False, True]
    """
    name = _PORT.sub("", host).strip().lower().rstrip(".")
    if name == "localhost" or name in names:
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def is_from_here(origin: str | None, fetch_site: str | None, host: str) -> bool:
    """Whether a POST came from one of our own pages, as far as the browser tells."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return False
    return origin is None or origin.partition("://")[2].lower() == host.lower()


def local_path(text: str) -> str:
    """
    A path on this site to go back to; ``/`` for anything else.

    >>> local_path("/calls?page=2"), local_path("//evil.example"), local_path("https://evil.example")
    ('/calls?page=2', '/', '/')
    """
    is_path = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_path else "/"
