"""The command line: parse, call, print. Each command is a module of its own and is loaded only when it is asked for."""
