"""The command line: one module per command, and everything that is written to a terminal or a pipe."""
