"""The routes: one per request that the service answers."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import asdict, replace
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from mien.choices import CausalSmoothing
from mien.choices import SmoothingName as Smoothing
from mien.defaults import DEFAULT_SMOOTHING
from mien.errors import InputError, MienError, RequestError, TooLargeError, UsageError
from mien.model.onnx_model import Bundle
from mien.output.colours import colours_of
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions
from mien.results import Frame, Header
from mien.service import guard
from mien.service.accept import JSON, PNG, wanted
from mien.service.engine import Engine, Viewer
from mien.service.limits import Limits
from mien.service.live import LiveStream
from mien.service.media_types import VIDEOS, normalized
from mien.service.metrics import CONTENT_TYPE, Metrics
from mien.service.openapi import ALWAYS, FRAMES, LINES, PICTURES_BODY, RESULTS_HEADER, VIDEO_BODY, refusals
from mien.service.parameters import KNOWN_ONLY, Drawing, Every, MinProbability, Name, wishes_of
from mien.service.places import Places
from mien.service.request_pictures import joined, read_pictures
from mien.service.schemas import FrameResult, Health, ModelDescription
from mien.service.searching import Upload, Wishes
from mien.service.video_lines import recognized_lines

Result = TypeVar("Result")

LINES_TYPE: Final = "application/x-ndjson"

_BATCH: Final = 8
_FEW_FACES: Final = 64


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
        responses={**FRAMES, **refusals(*ALWAYS, 400, 406, 408, 413, 415, 422, 429, 503)},
        openapi_extra=PICTURES_BODY,
    )
    async def predict(
        request: Request, wishes: Annotated[Wishes, Depends(wishes_of)], drawing: Annotated[Drawing, Depends()]
    ) -> Response:
        """The faces in pictures and what they express.

        One picture as the body; or several, as the files `picture` of a form or in base64 in JSON. Pictures that cannot
        be read have an `error`; when none can be read, the status says so. Of an animation the first image is read.
        With `Accept: image/png`, the answer to one picture is that picture with its faces drawn in.
        """
        draws = wanted(",".join(request.headers.getlist("accept"))) == PNG
        drawing.check(wishes, draws=draws)
        client = guard.client_of(request.scope)
        uploads = await read_pictures(request.headers, request.stream(), limits.pictures)
        if draws and len(uploads) > 1:
            raise RequestError(400, f"{len(uploads)} pictures in one request; an annotated picture is made of one")
        uploads = [replace(upload, client=client) for upload in uploads]
        with places.place("request", client), places.work(client, engine.pixels_of(uploads)):
            results = await _while_there(request, engine.recognize_all(uploads, wishes, slow=draws))
            frames = _noted(uploads, results, metrics)
            header = results_header(engine.recognizer.header.with_options(**wishes.options(), **drawing.asked()))
            if not draws:
                return Response(await _as_json(frames), media_type=JSON, headers=header)
            drawn = await _while_there(request, engine.annotated(uploads[0], frames[0], drawing.options()))
        request.scope[guard.KEEP](len(drawn))
        return Response(drawn, media_type=PNG, headers=header)

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
        lines = _placed(recognized_lines(pipeline, video, options, wishes), place)
        await _begun(request, lines)  # what cannot be read at all gets a status that says so
        header = pipeline.header.with_options(**options.to_dict(), **wishes.options())
        return StreamingResponse(lines, media_type=LINES_TYPE, headers=results_header(header))

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
    return 422 if isinstance(error, InputError | UsageError) else 500


def _noted(uploads: Sequence[Upload], results: Sequence[Frame | BaseException], metrics: Metrics) -> list[Frame]:
    """The frames of some pictures, counted.

    Raises:
        RequestError: none could be read.
    """
    frames = [_frame(upload, result) for upload, result in zip(uploads, results, strict=True)]
    errors = [result for result in results if isinstance(result, MienError)]
    metrics.picture("refused", len(errors))
    metrics.picture("recognized", len(frames) - len(errors))
    if len(errors) == len(frames):
        raise RequestError(status_of(errors[0]), "; ".join(map(str, errors)))
    return frames


async def _as_json(frames: Sequence[Frame]) -> bytes:
    """Frames as a list in JSON, written in a thread where that takes long enough to hold others up."""
    if sum(len(frame.faces) for frame in frames) <= _FEW_FACES:
        return _json(frames)
    return await asyncio.to_thread(_json, frames)


def _json(frames: Sequence[Frame]) -> bytes:
    return f"[{','.join(frame.to_json() for frame in frames)}]".encode()


async def _placed(lines: AsyncGenerator[str, None], place: AbstractContextManager[None]) -> AsyncGenerator[str, None]:
    """Lines, given while a place is held."""
    with place:
        async with aclosing(lines):
            async for line in lines:
                yield line


async def _begun(request: Request, lines: AsyncGenerator[str, None]) -> None:
    """Wait for the first line, unless the client leaves before."""

    async def first() -> str:
        return await anext(lines)

    try:
        await _while_there(request, first())
    except BaseException:
        await lines.aclose()
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
        await asyncio.wait({working, leaving})  # whoever closes what the work was using finds it at rest


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
