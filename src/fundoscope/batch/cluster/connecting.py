"""Joining a Ray cluster, or starting one on this machine."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from fundoscope.errors import ConnectionLostError, FundoscopeError, UsageError
from fundoscope.quoting import shown

SETTINGS: Final = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Of Ray, before it is imported: no telemetry."""
ON_THIS_MACHINE: Final = {
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listen on 127.0.0.1 only
    "RAY_worker_niceness": "0",  # as local processes
}
"""Further ones for a cluster that is started here."""
TOKEN: Final = "RAY_AUTH_TOKEN"
"""The setting with the secret that a process must know to talk to the cluster."""
QUIET: Final = {
    "log_to_driver": False,
    "logging_level": logging.CRITICAL,
    "configure_logging": False,
}
"""What Ray is not to print."""
AUTO: Final = "auto"
"""The address of the cluster that this machine belongs to."""
PORT: Final = re.compile(r"[0-9]{1,5}")
REACHED_WITHIN: Final = 5.0
"""Seconds in which a cluster must answer at its address."""
MESSAGE: Final = 300
"""Characters of an error of Ray's that are repeated."""
START_IT: Final = "start it with ray start, and give its address as HOST:PORT"


@contextmanager
def cluster(address: str | None, workers: int | None, folder: str) -> Iterator[int]:
    """Join a cluster, or start one; the number of actors to run on it.

    Args:
        address: ``HOST:PORT`` or :data:`AUTO`; ``None`` starts a cluster on this machine.
        workers: the number of actors; ``None`` means one for each CPU.
        folder: for the files of a cluster on this machine.

    Raises:
        FundoscopeError: there is no cluster, or it has fewer CPUs.
    """
    os.environ.update(SETTINGS)
    alone = {"num_cpus": workers, "num_gpus": 0, "include_dashboard": False, "_temp_dir": folder}
    if address is None:
        os.environ.update(ON_THIS_MACHINE, **{TOKEN: secrets.token_hex()})
    else:
        check_address(address)
    import ray

    try:
        ray.init(address or "local", **QUIET, **(alone if address is None else {}))
    except Exception as error:
        raise _unreached(address, error) from error
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if (workers or 1) > cpus:
        why = f"is more than the {cpus} CPUs of the cluster"
        raise UsageError(f"--workers {workers or 1}", why, "give fewer --workers")
    yield workers or cpus


def check_address(address: str) -> None:
    """Look whether something answers at an address: Ray itself would wait for a minute.

    Raises:
        UsageError: it is not an address.
        FundoscopeError: nothing answers.
    """
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or not PORT.fullmatch(port) or "/" in address:
        raise UsageError(f"--address {shown(address)}", "is not the address of a cluster", START_IT)
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHED_WITHIN).close()
    except (OSError, OverflowError) as error:  # a port above 65535 is an overflow
        why = f"cannot be reached ({getattr(error, 'strerror', None) or error})"
        raise FundoscopeError(f"the cluster at {shown(address)}", why, START_IT) from None


def _unreached(address: str | None, error: Exception) -> FundoscopeError:
    what = "Ray on this machine" if address is None else f"the cluster at {address}"
    said = " ".join(str(error).split())[:MESSAGE]
    return FundoscopeError(what, f"cannot be used ({type(error).__name__}: {said})", START_IT)


def check_versions(here: Mapping[str, str | None], there: Mapping[str, str | None]) -> None:
    """Check that another machine computes with the same software.

    Raises:
        UsageError: it does not.
    """
    others = [
        f"{name} {there.get(name)} instead of {version}"
        for name, version in here.items()
        if there.get(name) != version
    ]
    if others:
        why = f"has other software versions: {', '.join(others)}"
        raise UsageError("a machine of the cluster", why, "install the same on each machine")


def check_creation(error: Exception) -> None:
    """Raise an error if an actor died because it could not be made, rather than killed.

    Raises:
        UsageError: its machine lacks fundoscope.
    """
    if getattr(error, "actor_init_failed", False):
        said = str(error)
        missing = "No module named" in said
        why = "has no fundoscope" if missing else f"cannot start a reader ({said[-MESSAGE:]})"
        remedy = "install the same fundoscope[ray] on each machine"
        raise UsageError("a machine of the cluster", why, remedy)


def lost(why: str) -> ConnectionLostError:
    """The error of a cluster that cannot go on."""
    return ConnectionLostError("the cluster", f"was lost: {why}", "check it with: ray status")
