"""The settings of a service."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fundoscope import limits as bounds
from fundoscope.batch.workers import WorkerLimits

HOST: Final = "127.0.0.1"
PORT: Final = 8766
QUEUE_A_WORKER: Final = 4
"""Photographs in the service for each worker, the one that is read included: the last one waits for
about four readings, so that a person at the camera is still there."""
LIMITS: Final = WorkerLimits(deadline_s=60.0)
"""What one photograph may take. A usual one takes a second."""
UPLOAD_S: Final = 120.0
"""How long an upload may take: 5 MB over a line of 0.4 Mbit/s."""
RESERVE_BYTES: Final = 256 * 2**20
"""Free space below which no photograph is accepted: the database must still be able to write."""
STOP_S: Final = 60
"""How long a stop waits for accepted work. What is not read by then is read after the start."""
LOCALHOST: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a service runs.

    Attributes:
        data: the folder of photographs and, with SQLite, of the database.
        database: the URL of PostgreSQL; ``None`` means SQLite in ``data``.
        host: the address to listen on.
        port: likewise.
        names: host names that browsers may use for the service, besides IP addresses and
            localhost.
        workers: photographs that are read at the same time.
        queue: photographs in the service at the same time; more get 503.
        blind: whether a reader sees the software's opinion only after giving a grade.
        upload_bytes: the largest photograph file.
        upload_s: how long an upload may take.
        limits: what one photograph may take.
        reserve_bytes: free space below which no photograph is accepted.
        certificate: of TLS, a PEM file; ``None`` means plain HTTP.
        key: of the certificate.
        reader: the arguments of :func:`fundoscope.serve.server.reader`.
    """

    data: Path
    database: str | None = None
    host: str = HOST
    port: int = PORT
    names: tuple[str, ...] = ()
    workers: int = 1
    queue: int = QUEUE_A_WORKER
    blind: bool = False
    upload_bytes: int = bounds.MAX_FILE_BYTES
    upload_s: float = UPLOAD_S
    limits: WorkerLimits = LIMITS
    reserve_bytes: int = RESERVE_BYTES
    certificate: Path | None = None
    key: Path | None = None
    reader: dict[str, Any] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach the service."""
        return is_local(self.host)


def is_local(host: str) -> bool:
    """Whether an address is one that only this computer can reach."""
    if host == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
