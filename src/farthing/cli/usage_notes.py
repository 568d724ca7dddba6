"""What a usage report says besides its figures: what is unsure or missing, and what it would cost today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.cli import plain
from farthing.reports.claude_code.costing import Mode, client_differences, cost_today

if TYPE_CHECKING:
    from farthing.cli.usage_data import Usage
    from farthing.cli.usage_flags import Flags
    from farthing.errors import ErrorRecord


def notes_of(usage: Usage, flags: Flags) -> list[str]:
    """One sentence each, plain text; none where there is nothing to say."""
    notes = [_today(usage, flags), _unprovable(usage), _without_estimate(usage, flags), _unread(usage)]
    return [note for note in notes if note]


def debug_lines(usage: Usage, flags: Flags) -> list[str]:
    """What ``--debug`` says: what was read, what could not be, and where costUSD differs from the list price."""
    if not flags.debug or usage.scan is None:
        return []
    scan, samples = usage.scan, flags.debug_samples
    lines = [
        f"read {', '.join(root.path for root in usage.roots)}",
        f"transcripts: {scan.files:,}, new or changed: {scan.files_read:,} ({scan.bytes_read:,} bytes read)",
        f"calls: {scan.calls:,}, lines that showed one of them again: {scan.duplicates:,}",
        f"lines of Claude Code's own: {scan.skipped_synthetic:,}, calls without a final count: {scan.unprovable:,}",
        f"price book {usage.book.version}",
    ]
    lines += [_error_line(error) for error in scan.errors[:samples]]
    differences = client_differences(usage.items, usage.book)
    lines.append(f"groups of calls whose costUSD is not the list price of the day: {len(differences):,}")
    for bucket, listed in differences[:samples]:
        lines.append(
            f"{bucket.start:%Y-%m-%d %H:%M} {bucket.model}, calls: {bucket.calls}, costUSD: "
            f"{plain.usd(bucket.client_pusd)}, list: {plain.usd(listed)}"
        )
    return lines


def _today(usage: Usage, flags: Flags) -> str:
    if Mode(flags.mode) is not Mode.AS_BILLED or flags.no_cost:
        return ""
    billed, today = cost_today(usage.items, usage.book, usage.now)
    if billed == today:
        return ""
    return (
        f"As billed: {plain.usd(billed)}, at the prices of the day of each call. At today's prices the same tokens "
        f"would cost {plain.usd(today)} (--mode calculate)."
    )


def _unprovable(usage: Usage) -> str:
    calls = sum(one.bucket.calls for one in usage.items)
    unprovable = sum(one.bucket.unprovable_calls for one in usage.items)
    if not unprovable:
        return ""
    return (
        f"Unprovable: {unprovable:,} of {calls:,} calls never got their final output count in the transcript. A "
        "placeholder of 1 to 8 tokens stands for it, so their true cost is higher (kind: assumed)."
    )


def _without_estimate(usage: Usage, flags: Flags) -> str:
    if Mode(flags.mode) is not Mode.DISPLAY:
        return ""
    calls = sum(one.bucket.calls for one in usage.items if one.bucket.client_pusd is None)
    if not calls:
        return ""
    return f"--mode display shows Claude Code's own costUSD, which {calls:,} calls lack: only old versions wrote it."


def _unread(usage: Usage) -> str:
    count = len(usage.scan.errors) if usage.scan is not None else 0
    if not count:
        return ""
    lines = "1 line or file" if count == 1 else f"{count:,} lines or files"
    return f"{lines} could not be read; --debug says which and why. All others are counted."


def _error_line(error: ErrorRecord) -> str:
    where = error.source if error.line is None else f"{error.source}, line {error.line}"
    return f"{where}: {error.error}"
