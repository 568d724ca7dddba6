"""The same replays block by block, as a dictionary of prefixes would do them: slow, plain, and made apart from src."""

FIRST, BLOCK = 1024, 512
NEVER = float("-inf")


def units(call):
    """(prefix, tokens) of a prompt from the front, and how many of them end with a full block."""
    if call.input_tokens < FIRST:
        return [], 0
    ids = tuple(call.block_ids)
    full, rest = divmod(call.input_tokens, BLOCK)
    found = [(ids[1:2], FIRST)] + [(ids[1 : i + 1], BLOCK) for i in range(2, full)]
    count = len(found)
    if rest:
        found.append(((ids[1 : full + 1], rest), rest))
    return found, count


def replay(calls, lifetime_ms, write, *, end=False, sight_ms=None):
    """Cost in twentieths of an input token's price."""
    used, seen, cost = {}, {}, 0
    for call in calls:
        prompt, full = units(call)
        now = call.at_ms
        live = [now - used.get(key, NEVER) <= lifetime_ms for key, _ in prompt]
        if end:
            read = max((i + 1 for i in range(full) if live[i]), default=0)
            written = full
            restarted = {read - 1, full - 1} - {-1}
        else:
            read = live.index(False) if False in live else len(prompt)
            known = [sight_ms is None or now - seen.get(key, NEVER) <= sight_ms for key, _ in prompt]
            written = max(read, known.index(False) if False in known else len(prompt))
            restarted = range(written)
        for i in restarted:
            used[prompt[i][0]] = now
        for key, _ in prompt:
            seen[key] = now
        tokens = [count for _, count in prompt]
        plain = call.input_tokens - sum(tokens[:written])
        cost += 2 * sum(tokens[:read]) + write * sum(tokens[read:written]) + 20 * plain
    return cost
