"""
How many tokens a request will be, before it is sent and without the API, each figure with its stated error.

``text`` estimates from character classes, ``images`` follows the published rule exactly, ``documents`` and ``tools``
use what is published and give a range where nothing is, ``request`` adds up a whole Messages body, ``learn`` corrects
the estimate from metered calls, ``exact`` is the seam to the vendor's own counter.
"""
