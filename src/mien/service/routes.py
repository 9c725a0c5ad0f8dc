"""The routes: one per request that the service answers."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractContextManager, aclosing
from dataclasses import asdict, replace
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response, WebSocket, WebSocketException
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect, HTTPConnection

from mien.choices import MOST_YAW, CausalSmoothing
from mien.choices import SmoothingName as Smoothing
from mien.defaults import DEFAULT_SMOOTHING
from mien.errors import InputError, MienError, RequestError, TooLargeError, nearest
from mien.model.onnx_model import Bundle
from mien.output.colours import colours_of
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions
from mien.results import Frame, Header
from mien.service import guard
from mien.service.engine import Engine, Viewer
from mien.service.limits import Limits
from mien.service.live import LiveStream
from mien.service.media_types import VIDEOS, normalized
from mien.service.metrics import CONTENT_TYPE, Metrics
from mien.service.openapi import ALWAYS, FRAMES, LINES, PICTURES_BODY, RESULTS_HEADER, VIDEO_BODY, refusals
from mien.service.places import Places
from mien.service.request_pictures import joined, read_pictures
from mien.service.schemas import FrameResult, Health, ModelDescription
from mien.service.searching import Upload, Wishes
from mien.service.video_lines import as_lines, recognized_frames

Result = TypeVar("Result")
Name = Annotated[str, Query(max_length=255, description="Comes back as `source`.")]

Every = Annotated[int | None, Query(ge=1, description="Run full-frame detection every N frames.")]

MinConfidence = Annotated[float, Query(ge=0, le=1, description="Of the detector; below the service's own: no change.")]
MinProbability = Annotated[float, Query(ge=0, le=1, description="Of an expression to be `certain`.")]
MaxFaces = Annotated[int | None, Query(ge=1, description="The largest faces only.")]
MinFace = Annotated[int | None, Query(ge=1, description="No faces that are lower, in pixels.")]
MaxYaw = Annotated[float | None, Query(ge=0, le=MOST_YAW, description="No faces turned farther, in degrees.")]

PNG: Final = "image/png"
LINES_TYPE: Final = "application/x-ndjson"

_BATCH: Final = 8


def _check_parameters(connection: HTTPConnection) -> None:
    """Refuse parameters of the query that its route does not have: they would be ignored, which nobody expects.

    Raises:
        RequestError: 422.
        WebSocketException: 1008, likewise.
    """
    known = [field.alias for field in connection.scope["route"].dependant.query_params]
    for name in connection.query_params:
        if name not in known:
            hint = nearest(name, known) or (f"; there are {', '.join(known)}" if known else "; there is none")
            message = f"unknown parameter {name[:50]!r}{hint}"
            if connection.scope["type"] == "websocket":
                raise WebSocketException(1008, message[:120])
            raise RequestError(422, message)


KNOWN_ONLY: Final = [Depends(_check_parameters)]
"""Dependencies of routes that have parameters of their own, or none."""


def state_routes(engine: Engine, metrics: Metrics) -> APIRouter:
    """Health, readiness and metrics."""
    router = APIRouter(tags=["state"])

    @router.get("/healthz", responses=refusals(421))
    async def healthz() -> Health:
        """Liveness: the process answers."""
        return Health(status="ok")

    not_ready: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "Not yet, or not any more."}}

    @router.get("/readyz", responses={**not_ready, **refusals(421)})
    async def readyz(request: Request, response: Response) -> Health:
        """Readiness: the model is loaded, pictures are finished, and the service is not shutting down."""
        status: Any = "stuck" if engine.stuck else request.app.state.status
        response.status_code = 200 if status == "ok" else 503
        return Health(status=status)

    @router.get(guard.METRICS, response_class=Response, responses=refusals(*ALWAYS))
    async def prometheus() -> Response:
        """Counters in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router


def model_routes(recognizer: Recognizer) -> APIRouter:
    """The models."""
    router = APIRouter(tags=["models"], dependencies=KNOWN_ONLY)

    @router.get(guard.MODELS, responses=refusals(*ALWAYS, 422))
    async def models(response: Response) -> list[ModelDescription]:
        """The loaded models, with their measured figures."""
        response.headers.update(results_header(recognizer.header))
        model = recognizer.classifier
        return [_described(model)] if isinstance(model, Bundle) else []

    return router


def picture_routes(engine: Engine, limits: Limits, metrics: Metrics, places: Places) -> APIRouter:
    """Pictures in, faces out."""
    router = APIRouter(tags=["pictures"], dependencies=KNOWN_ONLY)

    @router.post(
        guard.PREDICT,
        response_model=list[FrameResult],
        responses={**FRAMES, **refusals(*ALWAYS, 400, 408, 413, 415, 422, 429, 503)},
        openapi_extra=PICTURES_BODY,
    )
    async def predict(
        request: Request,
        min_confidence: MinConfidence = 0.0,
        min_probability: MinProbability = 0.0,
        max_faces: MaxFaces = None,
        min_face: MinFace = None,
        max_yaw: MaxYaw = None,
    ) -> Response:
        """The faces in pictures and what they express.

        One picture as the body; or several, as the files `picture` of a form or in base64 in JSON. Pictures that cannot
        be read have an `error`; when none can be read, the status says so. With `Accept: image/png`, the answer to one
        picture is that picture with its faces drawn in.
        """
        wishes = Wishes(min_confidence, min_probability, max_faces, min_face, max_yaw)
        uploads = await read_pictures(request.headers, request.stream(), limits.pictures)
        client = guard.client_of(request.scope)
        with places.place("request", client):
            uploads = [replace(upload, client=client) for upload in uploads]
            results = await _while_there(request, engine.recognize_all(uploads, wishes))
        frames = [_frame(upload, result) for upload, result in zip(uploads, results, strict=True)]
        errors = [result for result in results if isinstance(result, MienError)]
        metrics.picture("refused", len(errors))
        metrics.picture("recognized", len(frames) - len(errors))
        if len(errors) == len(frames):
            raise RequestError(status_of(errors[0]), "; ".join(map(str, errors)))
        header = results_header(engine.recognizer.header.with_options(**wishes.options()))
        if _wants_png(request):
            return Response(await _drawn(engine, uploads, frames), media_type=PNG, headers=header)
        return JSONResponse([frame.to_dict() for frame in frames], headers=header)

    return router


def video_routes(engine: Engine, places: Places) -> APIRouter:
    """Videos in, lines of JSON out."""
    router = APIRouter(tags=["videos"], dependencies=KNOWN_ONLY)

    @router.post(
        guard.VIDEO,
        response_class=StreamingResponse,
        responses={**LINES, **refusals(*ALWAYS, 408, 413, 415, 422, 429, 503)},
        openapi_extra=VIDEO_BODY,
    )
    async def predict_video(
        request: Request,
        name: Name = "video",
        every: Every = None,
        smooth: Smoothing = DEFAULT_SMOOTHING,
        min_probability: MinProbability = 0.0,
    ) -> Response:
        """The faces in a video, tracked over time: one line of JSON per frame, streamed as the video is read."""
        kind = normalized(request.headers.get("content-type", ""))
        if kind not in VIDEOS:
            raise RequestError(415, f"content type {kind[:100]!r} is not read; send one of {', '.join(VIDEOS)}")
        content = await joined(request.stream())
        options = StreamOptions(every=every, smooth=smooth, batch=_BATCH)
        pipeline, video = engine.recognizer.pipeline, engine.video(name, kind, content, options)
        del content  # a worker keeps it
        place = places.place("video", guard.client_of(request.scope))
        wishes = Wishes(min_probability=min_probability)
        frames = _placed(recognized_frames(pipeline, video, options), place, wishes)
        first = await _first(request, frames)  # what cannot be read at all gets a status that says so
        header = pipeline.header.with_options(**options.to_dict(), **wishes.options())
        return StreamingResponse(as_lines(first, frames), media_type=LINES_TYPE, headers=results_header(header))

    return router


def stream_routes(engine: Engine, limits: Limits, metrics: Metrics) -> APIRouter:
    """Pictures of a camera in, faces out."""
    router = APIRouter(dependencies=KNOWN_ONLY)

    @router.websocket(guard.STREAM)
    async def stream(
        socket: WebSocket, smooth: CausalSmoothing = DEFAULT_SMOOTHING, min_probability: MinProbability = 0.0
    ) -> None:
        viewer = Viewer(smooth, Wishes(min_probability=min_probability))
        await LiveStream(socket, engine, viewer, limits, metrics).run()

    return router


def results_header(header: Header) -> dict[str, str]:
    """What results come from, as a response header."""
    return {RESULTS_HEADER: header.to_json()}


def status_of(error: MienError) -> int:
    """The HTTP status of an error made on purpose."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, TooLargeError):
        return 413
    return 422 if isinstance(error, InputError) else 500


def _wants_png(request: Request) -> bool:
    """Whether the client takes PNG rather than JSON (RFC 9110, 12.5.1, without weights)."""
    accepted = [kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "").split(",")]
    return PNG in accepted and "application/json" not in accepted


async def _drawn(engine: Engine, uploads: list[Upload], frames: list[Frame]) -> bytes:
    if len(uploads) > 1:
        raise RequestError(400, f"{len(uploads)} pictures in one request; an annotated picture is made of one")
    return await engine.annotated(uploads[0], frames[0])


async def _placed(
    frames: AsyncGenerator[Frame, None], place: AbstractContextManager[None], wishes: Wishes
) -> AsyncGenerator[Frame, None]:
    """Frames, given while a place is held, whose faces say whether they are certain."""
    with place:
        async with aclosing(frames):
            async for frame in frames:
                yield wishes.judged(frame)


async def _first(request: Request, frames: AsyncGenerator[Frame, None]) -> Frame:
    """The first frame, unless the client leaves before."""

    async def found() -> Frame:
        return await anext(frames)

    try:
        return await _while_there(request, found())
    except BaseException:
        await frames.aclose()
        raise


async def _while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of some work, which is cancelled when the client disconnects.

    Raises:
        ClientDisconnect: it has.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _frame(upload: Upload, result: Frame | BaseException) -> Frame:
    if isinstance(result, MienError):
        return Frame(upload.name, error=str(result))
    if isinstance(result, BaseException):
        raise result
    return result


def _described(model: Bundle) -> ModelDescription:
    card = asdict(model.card)
    colours = {name: f"#{bytes(colour).hex()}" for name, colour in colours_of(model.card.labels).items()}
    return ModelDescription(**{**card, "labels": list(card["labels"])}, colours=colours, sha256=model.sha256)
