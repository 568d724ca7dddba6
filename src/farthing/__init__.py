"""Cost engineering for the Claude API: what every call cost, exactly, and what would have been cheaper."""
