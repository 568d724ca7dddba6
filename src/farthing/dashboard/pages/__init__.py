"""One module per page: what was asked in, blocks out. A page holds no rule of its own about money."""
