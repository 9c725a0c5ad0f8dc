"""`mien serve`: the web page and the REST service."""

import os
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from mien.cli.options import Detector, MinConfidence, MinFace, Model, RunOn, Threads
from mien.control_groups import memory_at_hand
from mien.defaults import DEFAULT_DETECTOR, DEFAULT_MODEL, LONGEST_SECONDS, MIN_SCORE
from mien.errors import InputError, MissingExtraError, UsageError
from mien.service.limits import MEGABYTE, Limits
from mien.service.memory import Shares, usual_memory
from mien.threads import thread_count

if TYPE_CHECKING:
    from mien.service.access import Access

TOKEN_VARIABLE = "MIEN_TOKEN"  # noqa: S105 - the name of a variable
_SHORTEST_TOKEN = 16

_LIMITS: Final = Limits()
_MOST_MEGAPIXELS: Final = 10**6
"""Of all pictures of one address: as good as no limit."""

LogFormat = Literal["text", "json"]


def serve(  # noqa: PLR0913, PLR0917 - the options of the command
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 8000,
    model: Model = DEFAULT_MODEL,
    detector: Detector = DEFAULT_DETECTOR,
    min_confidence: MinConfidence = MIN_SCORE,
    min_face: MinFace = None,
    device: RunOn = "auto",
    threads: Threads = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Workers: pictures searched in parallel; they share --threads. Default: one per thread."
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help=f"File with the bearer token that requests must carry; or set {TOKEN_VARIABLE}.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow unauthenticated access from other machines.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Host name to accept in the Host header (DNS rebinding protection). Repeatable."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="Origin to allow for cross-origin requests, such as https://example.org. Repeatable."),
    ] = None,
    max_requests: Annotated[int, typer.Option(min=1, help="Maximum concurrent requests.")] = _LIMITS.requests,
    max_requests_per_client: Annotated[int, typer.Option(min=1, help="Of one address.")] = _LIMITS.requests_per_client,
    max_streams: Annotated[int, typer.Option(min=0, help="Maximum concurrent live streams.")] = _LIMITS.streams,
    max_streams_per_client: Annotated[int, typer.Option(min=0, help="Of one address.")] = _LIMITS.streams_per_client,
    max_videos: Annotated[int, typer.Option(min=0, help="Maximum concurrent videos.")] = _LIMITS.videos,
    max_videos_per_client: Annotated[int, typer.Option(min=0, help="Of one address.")] = _LIMITS.videos_per_client,
    max_connections: Annotated[int, typer.Option(min=1, help="Maximum open connections.")] = _LIMITS.connections,
    max_connections_per_client: Annotated[
        int, typer.Option(min=1, help="Of one address.")
    ] = _LIMITS.connections_per_client,
    queue_seconds: Annotated[
        float, typer.Option(min=0.1, max=LONGEST_SECONDS, help="Longest wait of a picture for a worker, in seconds.")
    ] = _LIMITS.queue_seconds,
    max_megapixels: Annotated[
        float, typer.Option(min=0.01, max=100, help="Maximum size of a picture.")
    ] = _LIMITS.pixels / 10**6,
    max_megapixels_per_client: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=_MOST_MEGAPIXELS,
            help="Of all pictures of one address that are worked on or wait, together; at least --max-megapixels.",
        ),
    ] = _LIMITS.pixels_per_client / 10**6,
    max_megabytes: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Maximum body of a request with pictures.")
    ] = _LIMITS.body / MEGABYTE,
    max_video_megabytes: Annotated[
        float, typer.Option(min=0.01, max=4000, help="Maximum size of a video.")
    ] = _LIMITS.video_body / MEGABYTE,
    memory: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="MEGABYTES",
            help="Memory that all processes together may use. Default: 1024 for each worker and 2048 at least, as far "
            "as there is so much.",
        ),
    ] = None,
    picture_seconds: Annotated[
        float,
        typer.Option(
            min=0.1, max=LONGEST_SECONDS, help="Longest work on a picture, or on one frame of a video, in seconds."
        ),
    ] = _LIMITS.picture_seconds,
    drain_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            max=LONGEST_SECONDS,
            help="Time to answer but not be ready before stopping, for load balancers, in seconds.",
        ),
    ] = _LIMITS.drain_seconds,
    shutdown_seconds: Annotated[
        int,
        typer.Option(
            min=1, max=LONGEST_SECONDS, help="Grace period of requests in flight when the service stops, in seconds."
        ),
    ] = _LIMITS.shutdown_seconds,
    trust_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="Address or network (CIDR) of a reverse proxy whose X-Forwarded-For is believed. Repeatable."
        ),
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="Format of --access-log.")] = "text",
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log address, method, path and status of every request.")
    ] = False,
) -> None:
    """Serve the web page and the REST service: pictures, videos and camera streams in, expressions out."""
    access = _access(host, _token(token_file), insecure, allow_host or [], allow_origin or [])
    try:
        from mien.service.app import create_app
        from mien.service.server import run_server, server_config
    except ModuleNotFoundError as error:
        raise MissingExtraError("serving", "serve") from error
    from mien.recognition.recognizer import Recognizer
    from mien.service.settings import Settings

    proxies = _networks(trust_proxy or [])
    limits = Limits(
        body=round(max_megabytes * MEGABYTE),
        video_body=round(max_video_megabytes * MEGABYTE),
        pixels=round(max_megapixels * 10**6),
        pixels_per_client=round(max_megapixels_per_client * 10**6),
        requests=max_requests,
        requests_per_client=max_requests_per_client,
        streams=max_streams,
        streams_per_client=max_streams_per_client,
        videos=max_videos,
        videos_per_client=max_videos_per_client,
        connections=max_connections,
        connections_per_client=max_connections if proxies else max_connections_per_client,
        queue_seconds=queue_seconds,
        picture_seconds=picture_seconds,
        picture_cpu_seconds=picture_seconds,
        drain_seconds=drain_seconds,
        shutdown_seconds=shutdown_seconds,
    )
    count = thread_count(threads)
    workers = workers or count
    total = usual_memory(workers, memory_at_hand()) if memory is None else memory * MEGABYTE
    limits = Shares.of(total, workers, max_videos).limits(limits)
    settings = Settings(limits=limits, access=access, workers=workers, threads=count)
    recognizer = Recognizer(
        model,
        detector,
        device=device,
        min_confidence=min_confidence,
        min_face=min_face,
        threads=settings.threads_each,
    )
    app = create_app(recognizer, settings)
    if access_log:
        _log_access(log_format)
    run_server(server_config(app, host, port, limits, proxies), _announce, drain_seconds)


def _log_access(log_format: LogFormat) -> None:
    import logging

    from mien.service.guard import ACCESS
    from mien.service.log_format import JsonLines

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_format == "json" else logging.Formatter("%(asctime)s %(message)s"))
    ACCESS.addHandler(handler)
    ACCESS.propagate = False
    ACCESS.setLevel(logging.INFO)


def _networks(networks: list[str]) -> list[str]:
    """Addresses and networks of proxies.

    Raises:
        UsageError: one is neither.
    """
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            raise UsageError(f"--trust-proxy {network}: expected an address or a network, such as 10.0.0.0/8") from None
    return networks


def _announce(address: str) -> None:
    typer.secho(f"mien serves {address} (stop with Ctrl-C)", err=True)


def _access(host: str, token: str | None, insecure: bool, hosts: list[str], origins: list[str]) -> "Access":
    """Access control: token, accepted host names, allowed origins.

    Raises:
        UsageError: the service would be open to the network without a token, or an origin is malformed.
    """
    from mien.service.access import Access

    local = _is_local(host)
    if not local and token is None and not insecure:
        raise UsageError(
            f"--host {host} can be reached from other machines: set {TOKEN_VARIABLE} or --token-file, or --insecure"
        )
    for name in hosts:
        if not name or (set(name) & set(":/") and not _is_address(name)):
            raise UsageError(f"--allow-host {name}: expected a name without scheme and port, such as faces.example.org")
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2 or origin.endswith("/"):
            raise UsageError(f"--allow-origin {origin}: expected scheme, name and port, such as https://example.org")
    names = (host, "localhost", "127.0.0.1", "::1", *hosts)
    allowed = frozenset(name.lower() for name in names) if local or hosts else None
    return Access(token=token, hosts=allowed, origins=frozenset(origins))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(path: Path | None) -> str | None:
    """The token from a file or the environment.

    Raises:
        InputError: the file cannot be read.
        UsageError: the token is too short to be one, or cannot stand in a header.
    """
    try:
        token = os.environ.get(TOKEN_VARIABLE, "") if path is None else path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII"
        raise InputError(f"{path}: the token cannot be read ({reason})") from None
    token = token.strip()
    if not token and path is None:
        return None
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"the token must be at least {_SHORTEST_TOKEN} printable ASCII characters without blanks")
    return token
