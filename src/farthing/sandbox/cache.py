"""The prompt cache as a pure state machine (stub; the public names stand)."""


class PromptCache:
    """Entries of every scope of one world."""
