"""Metrics of the service in Prometheus' text format; they hold nothing of a picture or its faces."""

from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one running service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        kept = self._registry
        self._requests = Counter("mien_requests", "Answered requests", ["path", "status"], registry=kept)
        self._seconds = Histogram(
            "mien_request_seconds",
            "From first to last byte",
            ["path"],
            buckets=_SECONDS,
            registry=kept,
        )
        self._pictures = Counter("mien_pictures", "Pictures by what became of them", ["outcome"], registry=kept)
        self._batch_pictures = Histogram(
            "mien_batch_pictures", "Pictures whose faces were classified together", buckets=_SIZES, registry=kept
        )
        self._batch_faces = Histogram("mien_batch_faces", "Faces classified together", buckets=_SIZES, registry=kept)
        self._ended = Counter("mien_workers_ended", "Workers that were ended, and why", ["reason"], registry=kept)
        self.requests_in_flight = Gauge("mien_requests_in_flight", "Requests being answered", registry=kept)
        self.streams = Gauge("mien_streams", "Open live streams", registry=kept)

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def picture(self, outcome: str, count: int = 1) -> None:
        """Pictures were ``recognized``, ``refused`` or, in live streams, ``dropped``."""
        self._pictures.labels(outcome).inc(count)

    def worker_ended(self, reason: str) -> None:
        """A worker was ended: by a limit (see `mien.errors.LimitError`), ``killed``, or by a ``crash``."""
        self._ended.labels(reason).inc()

    def batch(self, pictures: int, faces: int) -> None:
        """A batch was classified."""
        self._batch_pictures.observe(pictures)
        self._batch_faces.observe(faces)

    def text(self) -> bytes:
        """All metrics in the text format."""
        return generate_latest(self._registry)
