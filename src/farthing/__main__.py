"""The ``farthing`` command."""
