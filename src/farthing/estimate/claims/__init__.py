"""
Published claims about Claude costs, recomputed through the price book and the estimator.

``claim`` is the shape; ``rates``, ``caching``, ``bills`` and ``tokens`` hold the claims by subject; ``table`` puts them
in order and writes ``docs/claims.md``.
"""
