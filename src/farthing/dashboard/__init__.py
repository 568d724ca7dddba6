"""
The dashboard: the ledger's answers as pages, served from this machine.

``access`` says who may look, ``scope`` at what; ``books`` opens the ledger for one answer; ``asked`` reads a question
from a URL; ``pages`` answers it with ``blocks``, pure values; ``web`` turns those into HTML, CSV or JSON.
"""
