"""The command line: a command parses, calls one function and prints; one file a command group."""
