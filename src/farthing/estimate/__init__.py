"""
What a plan would cost before anybody builds it.

``workload`` reads the plan, ``conversation`` lays out the tokens of each turn, ``cost`` prices them exactly through the
price book. Beside it: ``ranges`` (how sure), ``breakeven`` (when a lever pays), ``limits`` (which rate limits the plan
needs), ``compare`` (the same work elsewhere), ``lookalike`` (a plan from traffic one has) and ``claims`` (published
figures, recomputed).
"""
