"""The command line: each command reads its options, calls one function and prints the result."""
