"""The command line: one module for each noun; every command is described in docs/reference/cli.md."""
