"""Figures for Prometheus. No label names a person, a patient, a reading or a file."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 30.0, 60.0)
"""Upper limits of the histograms' buckets; 2 and 12 are targets of the service."""
PREFIX: Final = "fundoscope_"


class Metrics:
    """The figures of one service.

    Attributes:
        requests: answers by route, method and status.
        seconds: how long requests took, by route.
        outcomes: photographs by outcome: ``read``, or the code of the refusal.
        reading_seconds: how long photographs waited and were read.
        in_service: photographs that are accepted, or being uploaded, and not yet read.
        turned_away: uploads that got 503, because the queue was full.
        uploaded_bytes: of accepted photographs.
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            f"{PREFIX}requests_total",
            "Answers by route, method and status",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            f"{PREFIX}request_seconds",
            "Time from the request to the end of the answer",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.outcomes = Counter(
            f"{PREFIX}photographs_total",
            "Photographs by outcome: read, or the code of the refusal",
            ("outcome",),
            registry=registry,
        )
        self.reading_seconds = Histogram(
            f"{PREFIX}reading_seconds",
            "Time from a photograph's acceptance to its reading",
            buckets=SECONDS,
            registry=registry,
        )
        self.in_service = Gauge(
            f"{PREFIX}photographs_in_service",
            "Photographs that are being uploaded, wait, or are being read",
            registry=registry,
        )
        self.turned_away = Counter(
            f"{PREFIX}turned_away_total",
            "Uploads that got 503 because the queue was full",
            registry=registry,
        )
        self.uploaded_bytes = Counter(
            f"{PREFIX}uploaded_bytes_total", "Bytes of accepted photographs", registry=registry
        )

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)
