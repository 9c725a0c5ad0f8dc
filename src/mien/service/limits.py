"""Limits of the service: size, rate and time, each with its default."""

from dataclasses import dataclass
from typing import Final

MEGABYTE: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Size limits, rate limits and timeouts.

    Args:
        body: bytes of a request with pictures.
        video_body: bytes of a request with a video.
        pixels: of one picture, or one frame of a video.
        pictures: per request.
        frame_body: bytes of one picture of a live stream.
        video_seconds: length of a video.
        video_frames: frames of a video.
        stream_seconds: length of a live stream.
        requests: concurrent requests, all clients together.
        requests_per_client: concurrent requests of one address (rate limit).
        videos: concurrent videos.
        streams: concurrent live streams.
        streams_per_client: live streams of one address.
        connections: open connections.
        headers_seconds: timeout for the head of a request.
        body_seconds: timeout for its body.
        idle_seconds: idle timeout of a live stream, and of a response that its client does not read.
        shutdown_seconds: grace period of requests in flight when the service stops.
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
