"""The routes: one per request that the service answers."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from mien.choices import SmoothingName as Smoothing
from mien.defaults import DEFAULT_SMOOTHING
from mien.errors import InputError, MienError, RequestError, TooLargeError
from mien.model.onnx_model import Bundle
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions
from mien.results import Frame, Header
from mien.service import guard
from mien.service.bodies import joined, read_pictures
from mien.service.engine import Engine, Upload
from mien.service.limits import Limits
from mien.service.live import LiveStream
from mien.service.media_types import VIDEOS, normalized
from mien.service.metrics import CONTENT_TYPE, Metrics
from mien.service.openapi import ALWAYS, FRAMES, LINES, PICTURES_BODY, RESULTS_HEADER, VIDEO_BODY, refusals
from mien.service.schemas import FrameResult, Health, ModelDescription
from mien.service.uploaded_video import UploadedVideo
from mien.service.video_lines import as_lines, recognized_frames

Result = TypeVar("Result")
Name = Annotated[str, Query(max_length=255, description="Comes back as `source`.")]

Every = Annotated[int | None, Query(ge=1, description="Run full-frame detection every N frames.")]

LINES_TYPE: Final = "application/x-ndjson"

_BATCH: Final = 8


def state_routes(metrics: Metrics) -> APIRouter:
    """Health, readiness and metrics."""
    router = APIRouter(tags=["state"])

    @router.get("/healthz", responses=refusals(421))
    async def healthz() -> Health:
        """Liveness: the process answers."""
        return Health(status="ok")

    not_ready: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "Not yet, or not any more."}}

    @router.get("/readyz", responses={**not_ready, **refusals(421)})
    async def readyz(request: Request, response: Response) -> Health:
        """Readiness: the model is loaded, and the service is not shutting down."""
        if request.app.state.ready:
            return Health(status="ok")
        response.status_code = 503
        return Health(status="starting")

    @router.get(guard.METRICS, response_class=Response, responses=refusals(*ALWAYS))
    async def prometheus() -> Response:
        """Counters in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router


def model_routes(recognizer: Recognizer) -> APIRouter:
    """The models."""
    router = APIRouter(tags=["models"])

    @router.get(guard.MODELS, responses=refusals(*ALWAYS))
    async def models(response: Response) -> list[ModelDescription]:
        """The loaded models, with their measured figures."""
        response.headers.update(results_header(recognizer.header))
        model = recognizer.classifier
        return [_described(model)] if isinstance(model, Bundle) else []

    return router


def picture_routes(engine: Engine, limits: Limits, metrics: Metrics) -> APIRouter:
    """Pictures in, faces out."""
    router = APIRouter(tags=["pictures"])

    @router.post(
        guard.PREDICT,
        response_model=list[FrameResult],
        responses={**FRAMES, **refusals(*ALWAYS, 400, 408, 413, 415, 422, 429, 503)},
        openapi_extra=PICTURES_BODY,
    )
    async def predict(request: Request) -> Response:
        """The faces in pictures and what they express.

        One picture as the body; or several, as the files `picture` of a form or in base64 in JSON. Pictures that cannot
        be read have an `error`; when none can be read, the status says so.
        """
        uploads = await read_pictures(request.headers, request.stream(), limits.pictures)
        results = await _while_there(request, engine.recognize_all(uploads))
        frames = [_frame(upload, result) for upload, result in zip(uploads, results, strict=True)]
        errors = [result for result in results if isinstance(result, MienError)]
        metrics.picture("refused", len(errors))
        metrics.picture("recognized", len(frames) - len(errors))
        if len(errors) == len(frames):
            raise RequestError(status_of(errors[0]), "; ".join(map(str, errors)))
        return JSONResponse([frame.to_dict() for frame in frames], headers=results_header(engine.recognizer.header))

    return router


def video_routes(recognizer: Recognizer, limits: Limits) -> APIRouter:
    """Videos in, lines of JSON out."""
    router = APIRouter(tags=["videos"])

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
    ) -> Response:
        """The faces in a video, tracked over time: one line of JSON per frame, streamed as the video is read."""
        kind = normalized(request.headers.get("content-type", ""))
        if kind not in VIDEOS:
            raise RequestError(415, f"content type {kind[:100]!r} is not read; send one of {', '.join(VIDEOS)}")
        content = await joined(request.stream())
        options = StreamOptions(every=every, smooth=smooth, batch=_BATCH)
        frames = recognized_frames(recognizer, lambda: UploadedVideo(content, name, kind, limits), options)
        first = await anext(frames)  # what cannot be read at all gets a status that says so
        header = recognizer.header.with_options(**options.to_dict())
        return StreamingResponse(as_lines(first, frames), media_type=LINES_TYPE, headers=results_header(header))

    return router


def stream_routes(engine: Engine, limits: Limits, metrics: Metrics) -> APIRouter:
    """Pictures of a camera in, faces out."""
    router = APIRouter()

    @router.websocket(guard.STREAM)
    async def stream(socket: WebSocket, smooth: Smoothing = DEFAULT_SMOOTHING) -> None:
        await LiveStream(socket, engine, smooth, limits, metrics).run()

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
    return ModelDescription(**{**card, "labels": list(card["labels"])}, sha256=model.sha256)
