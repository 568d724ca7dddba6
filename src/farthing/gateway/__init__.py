"""The gateway: a drop-in for ``ANTHROPIC_BASE_URL`` that forwards every byte and meters every call."""
