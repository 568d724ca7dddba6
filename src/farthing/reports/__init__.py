"""What is shown: tables, charts and JSON as pure functions; printing is the command line's."""
