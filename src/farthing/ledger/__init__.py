"""Where calls are kept: one interface, an engine in memory and one in DuckDB, and the journals they are filled from."""
