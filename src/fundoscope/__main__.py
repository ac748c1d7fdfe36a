"""Run the command line as ``python -m fundoscope``."""

from __future__ import annotations

from fundoscope.cli.main import main

if __name__ == "__main__":
    main()
