"""``fundoscope doctor``: check the installation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer

from fundoscope.errors import FundoscopeError

MARKS: Final = {"ok": "ok    ", "absent": "absent", "failed": "FAILED"}


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as a JSON object.")
    ] = False,
) -> None:
    """Check which parts of fundoscope are installed, and whether they work.

    Optional parts may be absent.

    Exit codes: 0 if all that is installed works, 1 if something does not, or is missing although
    fundoscope needs it.
    """
    from fundoscope.cli.doctor.checkup import examine
    from fundoscope.quoting import printable

    findings = examine()
    broken = [finding.name for finding in findings if finding.state == "failed"]
    broken += [finding.name for finding in findings if finding.needed and finding.state == "absent"]
    if json:
        import msgspec

        report = {"healthy": not broken, "findings": [asdict(finding) for finding in findings]}
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        for finding in findings:
            typer.echo(printable(f"{MARKS[finding.state]}  {finding.name}: {finding.detail}"))
    if broken:
        raise FundoscopeError(
            "this installation",
            f"does not work ({', '.join(broken)})",
            "install fundoscope again",
        )
