"""``fundoscope serve``: a service for clinics, with a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.extras import SERVE, require
from fundoscope.cli.options import DATA, Data, Database, DetectorBundle, GraderBundle, Workers


def serve(
    data: Data = DATA,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on. Before other computers can connect, add a token (fundoscope"
            " store add-token).",
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port.")] = 8766,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Host name that browsers may use, besides IP addresses and localhost; repeat it"
            " for several.",
        ),
    ] = None,
    database: Database = None,
    workers: Workers = None,
    queue: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Most photographs that may wait or be read at once; further uploads are rejected"
            " for now (HTTP 503). Default: four for each worker.",
        ),
    ] = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind",
            help="Show the software's reading to a reader only after the reader has given a grade.",
        ),
    ] = False,
    lesions: Annotated[
        bool, typer.Option("--lesions/--no-lesions", help="Find lesions and the optic disc, too.")
    ] = True,
    grader: GraderBundle = None,
    detector: DetectorBundle = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate for HTTPS (PEM).")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Key of the certificate (PEM).")
    ] = None,
) -> None:
    """Serve readings over HTTP, with a page for uploads, the worklist and reviews.

    Photographs and readings are kept in DIR until fundoscope store deletes them. For research; the
    result is not a diagnosis.

    Exit codes: 0 if it was stopped, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope serve", SERVE)
    from fundoscope.batch import processors
    from fundoscope.quoting import printable
    from fundoscope.serve import server
    from fundoscope.serve.settings import QUEUE_A_WORKER, Settings

    threads = processors.available()  # one photograph, the usual case, should use them all
    workers = workers or threads
    settings = Settings(
        data=data,
        database=database,
        host=host,
        port=port,
        names=tuple(name or ()),
        workers=workers,
        queue=queue or workers * QUEUE_A_WORKER,
        blind=blind,
        certificate=certificate,
        key=key,
        reader={
            "grader": grader,
            "detector": detector,
            "lesions": lesions,
            "threads": threads,
        },
    )
    server.log_to_standard_error()
    server.run(settings, lambda line: typer.echo(printable(line)))
