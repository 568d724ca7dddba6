"""Rate limits as Anthropic counts them (stub; the public names stand)."""


class RateLimiter:
    """Token buckets of every organisation, workspace and model class of one world."""
