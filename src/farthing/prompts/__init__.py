"""Request bodies to prefix blocks: hashes and token counts of a prompt, never its text."""
