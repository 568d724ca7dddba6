"""
Patterns of personal data and secrets, taken out of what is kept. Pure, and best effort: a name or an address stays.

JSON is decoded first, so that an escape hides nothing, and encoded again; JSON inside its strings likewise. What is
found is written as ``[email]``, ``[key]``, ``[card]``, ``[iban]``, ``[phone]`` or ``[ip]``. Cards and IBANs must pass
their checksums (ISO/IEC 7812-1; ISO 13616-1). What was redacted once does not change when it is redacted again.

Strings are looked through in pieces, because a regular expression lets no other thread run until it is done.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOO_DEEP = b'"[too deep to be redacted]"'
"""Instead of JSON in which tables stand in tables some hundred times."""
_PIECE_CHARS = 8 * 2**10
_NESTED_MAX = 4
"""JSON in a string of JSON in a string ... so deep."""

_DOMAIN = re.compile(r"@[\w-]++(?:\.[\w-]++)+")
_LOCAL_SIGNS, _LOCAL_CHARS_MAX = frozenset("_.+%'-"), 256
_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{8,}|(?:AKIA|ASIA)[0-9A-Z]{16}|gh[oprsu]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
)
_KEY_SIGNS = ("sk-", "AKIA", "ASIA", "gh", "xox", "AIza", "eyJ", "-----BEGIN")
# A group is never possessive here: before Python 3.11.5 such a one keeps what its last, failed turn had taken.
_DIGITS = re.compile(r"[0-9](?=[0-9 -]{12})[0-9]*+(?:[ -][0-9]++)*")
_IBAN = re.compile(
    r"(?<![0-9A-Za-z])(?:[A-Z]{2}[0-9]{2}[0-9A-Z]*+(?: [0-9A-Z]++)*|[a-z]{2}[0-9]{2}[0-9a-z]{11,30}(?![0-9a-z]))"
)
_PHONE = re.compile(
    r"(?<![\w.+])\+[1-9][0-9]?(?:[ ().-]{0,2}[0-9]){6,13}(?![0-9])"
    r"|(?<![\w.-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[0-9]{3}[-. ][0-9]{4}(?![\w-])"
)
_PHONE_SIGN = re.compile(r"[0-9]{3}[-. ][0-9]{4}")
_IP_SIGN = re.compile(r"[0-9]\.[0-9]")
_IBAN_SIGN = re.compile(r"[0-9]{2}[0-9A-Za-z ]{11}")
_IP = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9])")
_PLAIN_ESCAPE = re.compile(r"\\u00(2[bBdDeE]|3[0-9]|4[0-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])")
"""Escapes of letters, digits and ``@ + - . _``, which nobody has to write."""
_BOUNDARY = re.compile(r"[a-z,;] (?=[a-z])")
"""Where no pattern goes across."""

_CARD_DIGITS = range(13, 20)
_NO_CARD_DIGITS = (17, 18)
_CARD_MIN = 10**12
_WHOLE_DIGITS_MAX = 4_000
_IBAN_CHARS = range(15, 35)
_BASE64 = re.compile(r"\[base64, [0-9]{1,12} characters\]")


def redact(body: bytes) -> bytes:
    r"""
    *body* without what the patterns find. Raises nothing; valid JSON stays valid JSON.

    >>> redact(rb'{"text": "mail ada\u0040example.com, card 4111 1111 1111 1111"}')
    b'{"text":"mail [email], card [card]"}'
    >>> redact(b"call +44 20 7946 0958 from 192.0.2.7")
    b'call [phone] from [ip]'
    """
    try:
        return _redacted_json(body)
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return redact_text(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def redact_text(text: str) -> str:
    """*text* without what the patterns find; redacting it again changes nothing."""
    while (found := "".join(map(_once, _pieces(text)))) != text:
        text = found
    return text


# -- JSON -------------------------------------------------------------------------------------------------------------


def _value(value: Any, nested: int = 0) -> Any:
    """
    A value of JSON without what the patterns find.

    Args:
        value: As ``json`` decodes it.
        nested: In how many strings of JSON it stands.

    """
    if isinstance(value, str):
        return _string(value, nested)
    if isinstance(value, list):
        return [_value(one, nested) for one in value]
    if isinstance(value, dict):
        return _table(value, nested)
    if isinstance(value, int) and value >= _CARD_MIN and redact_text(str(value)) != str(value):
        return "[card]"
    return value


def _redacted_json(body: bytes) -> bytes:
    value = _value(_decoded(body.decode("utf-8")))
    # A lone surrogate can only be written as an escape, so all that is not ASCII is, where there is one.
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _decoded(text: str) -> Any:
    return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_no_constant)


def _finite(text: str) -> float | str:
    """A float; one that is too large for that stays a text, so that it can be written as JSON."""
    return value if math.isfinite(value := float(text)) else text


def _whole(text: str) -> int | str:
    """A whole number; one with more digits than Python reads stays a text."""
    return int(text) if len(text) <= _WHOLE_DIGITS_MAX else text


def _no_constant(_text: str) -> Any:
    raise ValueError  # NaN and Infinity are no JSON


def _table(table: dict[str, Any], nested: int) -> dict[str, Any]:
    if table.get("type") == "base64" and isinstance(data := table.get("data"), str):
        # No pattern can look into an image or a document.
        mark = data if _BASE64.fullmatch(data) else f"[base64, {len(data)} characters]"
        table = table | {"data": mark}
    found: dict[str, Any] = {}
    for name, value in table.items():
        shown, number = (unique := redact_text(name)), 2
        while unique in found:
            unique, number = f"{shown} {number}", number + 1
        found[unique] = _value(value, nested)
    return found


def _string(text: str, nested: int) -> str:
    if nested < _NESTED_MAX and text.lstrip()[:1] in ("{", "[", '"'):
        try:
            inner = _decoded(text)
        except (ValueError, RecursionError):
            return redact_text(text)
        found = _value(inner, nested + 1)
        return text if found == inner else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return redact_text(text)


# -- text -------------------------------------------------------------------------------------------------------------


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _PIECE_CHARS and (found := _BOUNDARY.search(text, start + _PIECE_CHARS)):
        yield text[start : found.end()]
        start = found.end()
    yield text[start:]


def _once(text: str) -> str:
    if "\\u00" in text:
        text = _PLAIN_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    # What is cheap to look for goes first: most texts have nothing of this.
    if "@" in text:
        text = _without_emails(text)
    if any(sign in text for sign in _KEY_SIGNS):
        text = _KEY.sub("[key]", text)
    text = _DIGITS.sub(lambda found: _checked(found[0], "[card]", _CARD_DIGITS, _is_card), text)
    if _IBAN_SIGN.search(text):
        text = _IBAN.sub(lambda found: _checked(found[0], "[iban]", _IBAN_CHARS, _is_iban), text)
    if "+" in text or _PHONE_SIGN.search(text):
        text = _PHONE.sub("[phone]", text)
    return _IP.sub(_ip, text) if _IP_SIGN.search(text) else text


def _without_emails(text: str) -> str:
    kept, start = [], 0
    for domain in _DOMAIN.finditer(text):
        local = end = domain.start()
        first = max(start, end - _LOCAL_CHARS_MAX)
        while local > first and (text[local - 1].isalnum() or text[local - 1] in _LOCAL_SIGNS):
            local -= 1
        if local < end:
            kept += [text[start:local], "[email]"]
            start = domain.end()
    return "".join([*kept, text[start:]])


def _ip(found: re.Match[str]) -> str:
    return "[ip]" if all(int(part) <= 255 for part in found[0].split(".")) else found[0]


def _checked(run: str, mark: str, lengths: range, passes: Callable[[str], bool]) -> str:
    """A run of groups, where each stretch of whole groups that has the length and passes is replaced; longest first."""
    if len(run) < lengths.start:
        return run
    parts = re.split(r"([ -])", run)  # groups, with what stands between them
    kept, at = [], 0
    while at < len(parts):
        end = _end_of(parts, at, lengths, passes)
        kept.append(mark if end else parts[at])
        at = end or at + 1
        if at < len(parts):
            kept.append(parts[at])
            at += 1
    return "".join(kept)


def _end_of(parts: list[str], at: int, lengths: range, passes: Callable[[str], bool]) -> int:
    """Where the longest stretch from a group on ends that passes; 0: none does."""
    found, joined = 0, ""
    for end in range(at, len(parts), 2):
        joined += parts[end]
        if len(joined) >= lengths.stop:
            break
        if len(joined) in lengths and passes(joined):
            found = end + 1
    return found


def _is_card(digits: str) -> bool:
    """Whether a payment card may have this number: how those begin, and Luhn's check."""
    if digits[0] not in "23456" or len(digits) in _NO_CARD_DIGITS:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    if not (text[:2].isalpha() and text[2:4].isdigit()):
        return False
    moved = (text[4:] + text[:4]).upper()
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1
