"""Recorded calls under other choices, in exact dollars: choices, the rules of the cache once more, and the replay."""
