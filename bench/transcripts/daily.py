"""
Our part of ``farthing daily --json``, whole: find, scan, price, sum by UTC day and model; JSON on standard output.

    CLAUDE_CONFIG_DIR=TREE python bench/transcripts/daily.py
"""

from __future__ import annotations

import json

from farthing.money import usd_text
from farthing.prices.book import shipped_book
from farthing.sources.claude_code import Index, default_index_path, discover, iter_buckets, price_bucket, scan


def main() -> None:
    roots, book = discover(), shipped_book()
    days: dict[tuple[str, str], list[int]] = {}
    with Index(default_index_path(roots)) as index:
        report = scan(roots, index)
        for bucket in iter_buckets(index):
            row = days.setdefault((bucket.start.date().isoformat(), bucket.model), [0, 0, 0, 0, 0])
            usage = bucket.usage
            written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            row[0] += usage.input_tokens
            row[1] += usage.output_tokens
            row[2] += written
            row[3] += usage.cache_read_tokens
            row[4] += price_bucket(book, bucket).list_pusd or 0
    names = ("inputTokens", "outputTokens", "cacheCreationTokens", "cacheReadTokens")
    rows = [
        {"date": day, "model": model, **dict(zip(names, row, strict=False)), "usd": usd_text(row[4])}
        for (day, model), row in sorted(days.items())
    ]
    print(json.dumps({"daily": rows, "calls": report.calls, "unprovable": report.unprovable}))


if __name__ == "__main__":
    main()
