"""
Usage readers: the bytes or the JSON of strangers in, disjoint counts out. No I/O.

:func:`farthing.usage.detect.read_any` picks the reader by shape; the readers themselves are for callers who know what
they hold. ``docs/usage-readers.md`` has the table of shapes and rules. Nothing is imported here: a status line that
needs one reader must not pay for nine.
"""
