"""
Reports over Claude Code transcripts in the shapes of ccusage: days, weeks, months, sessions and five-hour blocks.

Pure: buckets of a transcript index and a price book in, rows and JSON values out. The keys are those of ccusage 20.0.24
(checked 2026-11-20 against the tool itself); what is ours stands beside them: ``costUsdExact``, ``kind``, ``calls``,
``unpricedCalls``, ``unpricedModels``, ``unprovableCalls``.
"""
