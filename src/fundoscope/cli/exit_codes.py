"""The exit codes of the command line."""

from __future__ import annotations

from typing import Final

from fundoscope.errors import FundoscopeError, PhotoError, UsageError

DONE: Final = 0
FAILED: Final = FundoscopeError.exit_code
WRONG_USE: Final = UsageError.exit_code
INCOMPLETE: Final = PhotoError.exit_code
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
"""Shells use 128 + the signal's number for a program that a signal ended (SIGINT, SIGPIPE)."""

MEANINGS: Final = {
    DONE: "Everything was done.",
    FAILED: "Something failed, e.g. the disk is full.",
    WRONG_USE: "The command was used wrongly, an input such as a table or a bundle is faulty, or a"
    " result exists already.",
    INCOMPLETE: "The command finished, but some photographs could not be read or graded, or a check"
    " found a problem.",
    INTERRUPTED: "The command was interrupted with Ctrl-C, or lost its cluster, store or drive.",
    PIPE_CLOSED: "The program that read the output stopped early, e.g. `head`.",
}
