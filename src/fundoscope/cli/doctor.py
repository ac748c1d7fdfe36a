"""``fundoscope doctor``: say what is installed and whether it works."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from fundoscope.errors import FundoscopeError

MARKS = {"ok": "ok    ", "absent": "absent", "failed": "FAILED"}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Say what is installed and whether it works.

    Exit code 0: fundoscope can read photographs. 1: something that it needs does not work.
    """
    from fundoscope.cli.checkup import examine
    from fundoscope.report.wording import printable

    findings = examine()
    healthy = not any(one.needed and one.state != "ok" for one in findings)
    if json:
        import msgspec

        report = {"healthy": healthy, "findings": [asdict(one) for one in findings]}
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        for one in findings:
            typer.echo(printable(f"{MARKS[one.state]}  {one.name}: {one.detail}"))
    if not healthy:
        troubled = [one.name for one in findings if one.needed and one.state != "ok"]
        raise FundoscopeError(
            "this installation", f"is not sound ({', '.join(troubled)})", "install fundoscope again"
        )
