"""
What a text is made of, counted per character class in a few passes of C speed, and which kind of content that makes it.

The text itself goes no further than this module.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from enum import StrEnum
from string import ascii_lowercase, ascii_uppercase, digits, punctuation
from typing import NamedTuple


class ContentKind(StrEnum):
    """Kinds of content whose estimates differ in error, and whose corrections are learned apart."""

    PROSE = "prose"
    CODE = "code"
    JSON = "json"
    CJK = "cjk"
    OTHER = "other"
    MIXED = "mixed"


class Script(StrEnum):
    """Groups of characters outside ASCII that cost about the same each."""

    LATIN = "latin"
    GREEK = "greek"
    CYRILLIC = "cyrillic"
    SEMITIC = "semitic"
    INDIC = "indic"
    TYPOGRAPHY = "typography"
    CJK = "cjk"
    KANA = "kana"
    HANGUL = "hangul"
    EMOJI = "emoji"
    SYMBOL = "symbol"


class Makeup(NamedTuple):
    """
    Counts of one text. The ASCII part is counted as if the other characters were not there.

    Attributes:
        chars: All characters.
        words: Runs of ASCII letters.
        letters: ASCII letters; letters_past_5 and letters_past_9 are those beyond the 5th and 9th of their word.
        capitals_past_2: Letters beyond the 2nd in runs of capitals.
        humps: Places where a capital follows a lower-case letter.
        digits: ASCII digits.
        marks: ASCII punctuation; mark_runs: unbroken runs of it.
        newline_runs: Line ends, blank lines not counted again.
        gaps: Runs of two or more blanks, or of tabs.
        white_past_16: White space beyond the 16th character of its run.
        scripts: Characters outside ASCII, by script.
        foreign: Words of a language in Latin letters that is not English.
        json_like: Starts as a JSON object or array does and holds the marks of one.

    """

    chars: int
    words: int
    letters: int
    letters_past_5: int
    letters_past_9: int
    capitals_past_2: int
    humps: int
    digits: int
    marks: int
    mark_runs: int
    newline_runs: int
    gaps: int
    white_past_16: int
    scripts: dict[Script, int]
    foreign: bool
    json_like: bool

    @property
    def kind(self) -> ContentKind:
        """The kind of content, by shares of characters."""
        scripts = self.scripts
        others = sum(scripts.get(script, 0) for script in _LETTERED)
        east = sum(scripts.get(script, 0) for script in (Script.CJK, Script.KANA, Script.HANGUL))
        lettered = self.letters + others + east
        if east > 0.3 * lettered:
            return ContentKind.CJK
        if others > 0.2 * lettered or self.foreign:
            return ContentKind.OTHER
        if self.json_like:
            return ContentKind.JSON
        return ContentKind.CODE if self.marks + self.digits > _CODE_SHARE * self.chars else ContentKind.PROSE


_CODE_SHARE = 0.15
"""English prose has 3 to 6 % of marks and digits, program code, formulas and tables 15 to 30 %."""

_LETTERED = (Script.GREEK, Script.CYRILLIC, Script.SEMITIC, Script.INDIC)


def makeup(text: str) -> Makeup:
    """Count *text* in a handful of passes; a million characters take some tens of milliseconds."""
    ascii_part = text.encode("ascii", "ignore")
    classes = ascii_part.translate(_CLASSES)
    lengths = Counter(map(len, ascii_part.translate(_LETTERS_ONLY).split()))
    capital_runs = Counter(map(len, ascii_part.translate(_CAPITALS_ONLY).split()))
    scripts = {} if len(ascii_part) == len(text) else _scripts(text)
    marks = classes.count(b".")
    return Makeup(
        chars=len(text),
        words=sum(lengths.values()),
        letters=sum(length * count for length, count in lengths.items()),
        letters_past_5=_past(lengths, 5),
        letters_past_9=_past(lengths, 9),
        capitals_past_2=_past(capital_runs, 2),
        humps=classes.count(b"aA"),
        digits=classes.count(b"0"),
        marks=marks,
        mark_runs=len(ascii_part.translate(_MARKS_ONLY).split()),
        newline_runs=len(ascii_part.translate(_NEWLINES_ONLY).split()),
        gaps=len(_GAP.findall(ascii_part)),
        white_past_16=sum(len(run) - 16 for run in _WIDE_WHITE.findall(ascii_part)),
        scripts=scripts,
        foreign=_is_foreign(text, scripts.get(Script.LATIN, 0)),
        json_like=_is_json_like(text, marks),
    )


def _past(lengths: Counter[int], limit: int) -> int:
    return sum((length - limit) * count for length, count in lengths.items() if length > limit)


def _table(**classes: str) -> bytes:
    """A translation of bytes to the character named for their class; all others become a blank."""
    table = bytearray(b" " * 256)
    for name, members in classes.items():
        for member in members.encode():
            table[member] = ord(_CLASS_MARK[name])
    return bytes(table)


_CLASS_MARK = {"lower": "a", "upper": "A", "digit": "0", "mark": ".", "newline": "n"}
_CLASSES = _table(lower=ascii_lowercase, upper=ascii_uppercase, digit=digits, mark=punctuation)
_LETTERS_ONLY = _table(lower=ascii_lowercase + ascii_uppercase)
_CAPITALS_ONLY = _table(upper=ascii_uppercase)
_MARKS_ONLY = _table(mark=punctuation)
_NEWLINES_ONLY = _table(newline="\n")
_GAP = re.compile(rb"  +|\t+")
_WIDE_WHITE = re.compile(rb"[ \t\r\n]{17,}")
_NON_ASCII = re.compile(r"[^\x00-\x7f]")

# First code point of each stretch and what it holds; what no line names is SYMBOL.
_STRETCHES: tuple[tuple[int, Script], ...] = (
    (0x0080, Script.SYMBOL),
    (0x00C0, Script.LATIN),
    (0x0370, Script.GREEK),
    (0x0400, Script.CYRILLIC),
    (0x0530, Script.SYMBOL),  # Armenian: nothing known
    (0x0590, Script.SEMITIC),  # Hebrew, Arabic, Syriac
    (0x0900, Script.INDIC),  # Devanagari to Sinhala, Thai, Lao, Tibetan, Burmese
    (0x10A0, Script.SYMBOL),
    (0x1100, Script.HANGUL),
    (0x1200, Script.SYMBOL),
    (0x1780, Script.INDIC),  # Khmer
    (0x1800, Script.SYMBOL),
    (0x1E00, Script.LATIN),  # Vietnamese and other marked letters
    (0x1F00, Script.GREEK),
    (0x2000, Script.TYPOGRAPHY),  # dashes, curly quotes, ellipsis
    (0x2070, Script.SYMBOL),
    (0x2600, Script.EMOJI),
    (0x27C0, Script.SYMBOL),
    (0x2E80, Script.CJK),
    (0x3040, Script.KANA),
    (0x3100, Script.CJK),
    (0x3130, Script.HANGUL),
    (0x3190, Script.CJK),
    (0xA000, Script.SYMBOL),
    (0xAC00, Script.HANGUL),
    (0xD7B0, Script.SYMBOL),
    (0xF900, Script.CJK),
    (0xFB00, Script.SYMBOL),
    (0xFB1D, Script.SEMITIC),
    (0xFE00, Script.EMOJI),  # variation selectors
    (0xFE10, Script.SYMBOL),
    (0xFE70, Script.SEMITIC),
    (0xFF00, Script.CJK),  # full-width forms
    (0xFFF0, Script.SYMBOL),
    (0x1F000, Script.EMOJI),
    (0x20000, Script.CJK),
    (0x32000, Script.SYMBOL),
)
_STARTS = [start for start, _ in _STRETCHES]


def _scripts(text: str) -> dict[Script, int]:
    counts: dict[Script, int] = {}
    for char, count in Counter(_NON_ASCII.findall(text)).items():
        script = _STRETCHES[bisect_right(_STARTS, ord(char)) - 1][1]
        counts[script] = counts.get(script, 0) + count
    return counts


_ENGLISH = re.compile(
    r"\b(?:the|of|and|to|in|is|that|for|it|with|as|on|are|be|this|or|by|from|was|which|you|your|not|a|an|we|have)\b"
)
_FOREIGN = re.compile(
    r"\b(?:der|die|das|und|ist|nicht|ein|eine|mit|den|von|zu|auf|de|la|le|les|et|des|du|une|est|que|el|los|las|en|para|con|"
    r"una|por|se|il|che|di|del|della|sono|een|het|van|niet|och|att|som|det|er|ikke|og|do|da|em|nao)\b"
)
_WORD = re.compile(r"[a-z]+")
_SAMPLE_CHARS = 8_000


def _is_foreign(text: str, latin_marked: int) -> bool:
    """
    Few of English's commonest words, and either another language's or marked letters.

    Judged on the text's beginning: a language is told in a few thousand characters.
    """
    sample = text[:_SAMPLE_CHARS].lower()
    words = len(_WORD.findall(sample))
    if words < 4:
        return False
    english = len(_ENGLISH.findall(sample)) / words
    if english >= 0.1:
        return False
    foreign = len(_FOREIGN.findall(sample)) / words
    return foreign > max(0.1, english) or (english < 0.08 and latin_marked > 0.004 * len(text))


def _is_json_like(text: str, marks: int) -> bool:
    start = text[:200].lstrip()[:2].rstrip()
    return start[:1] in {"{", "["} and text.rstrip()[-1:] in {"}", "]"} and marks > 0.08 * len(text)
