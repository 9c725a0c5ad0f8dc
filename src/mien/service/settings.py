"""What the service allows, and to whom."""

from dataclasses import dataclass, field
from typing import Final

from mien.threads import thread_count

MEGABYTE: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may ask for.

    Args:
        body: bytes of a request with pictures.
        video_body: bytes of a request with a video.
        pixels: of one picture, or one frame of a video.
        pictures: in one request.
        frame_body: bytes of one picture of a live stream.
        video_seconds: length of a video.
        video_frames: frames of a video.
        stream_seconds: length of a live stream.
        requests: answered at the same time, all clients together.
        requests_per_client: answered at the same time for one address.
        videos: answered at the same time.
        streams: live streams at the same time.
        streams_per_client: live streams of one address.
        connections: open at the same time.
        headers_seconds: within which the head of a request must have come.
        body_seconds: within which its body must have come.
        idle_seconds: after which a live stream without a picture is closed, and an answer that nobody reads given up.
        shutdown_seconds: that requests in flight get to finish when the service stops.
    """

    body: int = 20 * MEGABYTE
    video_body: int = 100 * MEGABYTE
    pixels: int = 25_000_000
    pictures: int = 32
    frame_body: int = 2 * MEGABYTE
    video_seconds: float = 300.0
    video_frames: int = 10_000
    stream_seconds: float = 3600.0
    requests: int = 64
    requests_per_client: int = 32
    videos: int = 2
    streams: int = 16
    streams_per_client: int = 4
    connections: int = 256
    headers_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 30.0
    shutdown_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may ask.

    Args:
        token: that requests must carry; None: none is needed.
        hosts: names that the ``Host`` header may carry, without port, lower case; None: any.
        origins: of other pages that may use the service, such as ``https://example.org``.
    """

    token: str | None = field(default=None, repr=False)
    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the service is run.

    Args:
        limits: how much a client may ask for.
        access: who may ask.
        workers: threads that decode pictures and find faces, at least 1.
        threads: that these compute with, all together; by default see `mien.threads.thread_count`.
        gather_seconds: for which faces of one request wait for those of others, to be classified together.
    """

    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    workers: int = 2
    threads: int | None = None
    gather_seconds: float = 0.004

    @property
    def threads_each(self) -> int:
        """Threads that each worker computes with, at least 1."""
        return max(1, thread_count(self.threads) // self.workers)
