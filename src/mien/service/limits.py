"""Limits of the service: size, rate and time, each with its default."""

from dataclasses import dataclass, fields
from typing import Final

from mien.defaults import CHEAP_CPU_SECONDS, LONGEST_SECONDS, STARVED_SECONDS
from mien.errors import UsageError

MEGABYTE: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Size limits, rate limits and timeouts; those called ``_seconds`` are at most `LONGEST_SECONDS`.

    Args:
        body: bytes of a request with pictures.
        video_body: bytes of a request with a video.
        pixels: of one picture, or one frame of a video.
        pictures: per request.
        pixels_per_client: of the pictures of one address that are worked on or wait, all together; at least ``pixels``.
        faces: of one picture.
        frame_body: bytes of one picture of a live stream.
        video_seconds: length of a video.
        video_frames: frames of a video.
        video_pixels: of one frame of a video, if that is less than ``pixels``: decoders hold up to 17 frames.
        video_total_pixels: of all frames of a video together.
        video_work_seconds: wall time that a video is worked on.
        picture_seconds: wall time that a picture is worked on, and that one frame of a video may take.
        starved_seconds: more of it while the worker has not had ``cheap_cpu_seconds`` yet, because the machine is busy.
        cheap_cpu_seconds: processor time after which a picture or a frame that is late is held to be costly.
        picture_cpu_seconds: processor time, likewise of a picture.
        picture_memory: bytes that a worker may need for a picture of at most `mien.service.turns.HEAVY` pixels.
        large_picture_memory: likewise for a larger one.
        large_pictures: larger ones that are worked on at a time.
        video_memory: bytes that a worker may need for a video, its file included.
        stream_seconds: length of a live stream.
        requests: concurrent requests, all clients together.
        requests_per_client: concurrent requests of one address (rate limit).
        queue_seconds: longest wait of a picture for a worker.
        stuck_seconds: after which a service that works and finishes nothing is not ready any more.
        buffered: bytes of bodies in memory, all clients together; one address may hold half of them.
        videos: concurrent videos.
        videos_per_client: concurrent videos of one address.
        streams: concurrent live streams.
        streams_per_client: live streams of one address.
        connections: open connections.
        connections_per_client: open connections of one address.
        headers_seconds: timeout for the head of a request.
        body_seconds: timeout for its body.
        idle_seconds: idle timeout of a live stream, and of a response that its client does not read.
        drain_seconds: time for which the service answers but is not ready, before it stops.
        shutdown_seconds: grace period of requests in flight when the service stops.

    Raises:
        UsageError: a time out of range, or pictures that no address may send.
    """

    body: int = 20 * MEGABYTE
    video_body: int = 100 * MEGABYTE
    pixels: int = 25_000_000
    pictures: int = 32
    pixels_per_client: int = 200_000_000
    faces: int = 500
    frame_body: int = 2 * MEGABYTE
    video_seconds: float = 300.0
    video_frames: int = 10_000
    video_pixels: int = 4096 * 2304
    video_total_pixels: int = 20_000_000_000
    video_work_seconds: float = 600.0
    picture_seconds: float = 2.0
    starved_seconds: float = STARVED_SECONDS
    cheap_cpu_seconds: float = CHEAP_CPU_SECONDS
    picture_cpu_seconds: float = 2.0
    picture_memory: int = 192 * MEGABYTE
    large_picture_memory: int = 512 * MEGABYTE
    large_pictures: int = 1
    video_memory: int = 336 * MEGABYTE
    stream_seconds: float = 3600.0
    requests: int = 64
    requests_per_client: int = 32
    queue_seconds: float = 20.0
    stuck_seconds: float = 30.0
    buffered: int = 208 * MEGABYTE
    videos: int = 2
    videos_per_client: int = 1
    streams: int = 16
    streams_per_client: int = 4
    connections: int = 256
    connections_per_client: int = 128
    headers_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 30.0
    drain_seconds: float = 0.0
    shutdown_seconds: int = 30

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name.endswith("_seconds")):
            if not 0 <= (seconds := getattr(self, name)) <= LONGEST_SECONDS:
                raise UsageError(f"{name} is {seconds:g}: expected 0 to {LONGEST_SECONDS} seconds")
        if self.pixels_per_client < self.pixels:
            each, all_together = self.pixels / 10**6, self.pixels_per_client / 10**6
            raise UsageError(
                f"{all_together:g} megapixels of all pictures of one address, but {each:g} of each: expected at least "
                "as many; raise --max-megapixels-per-client, or lower --max-megapixels"
            )
