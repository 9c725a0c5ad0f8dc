"""The service as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from mien.errors import MienError, RequestError
from mien.recognition.recognizer import Recognizer
from mien.service import guard, routes
from mien.service.engine import Engine
from mien.service.guard import Guard
from mien.service.metrics import Metrics
from mien.service.openapi import API
from mien.service.places import Places
from mien.service.refusals import SECURITY_HEADERS, not_answered, problem, refusal_headers
from mien.service.settings import Settings
from mien.version import __version__

STATIC: Final = Path(str(resources.files("mien.service") / "static"))
"""Files of the page."""


def create_app(recognizer: Recognizer, settings: Settings | None = None) -> FastAPI:
    """The service: an ASGI application.

    Args:
        recognizer: what finds and classifies the faces.
        settings: limits and access; by default unauthenticated access from any host.
    """
    settings = settings or Settings()
    metrics = Metrics()
    engine, places = Engine(recognizer, settings, metrics), Places(settings.limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with engine.running():
            app.state.status = "ok"
            yield
            app.state.status = "draining"

    app = FastAPI(title="mien", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, **API)
    app.state.status, app.state.metrics = "starting", metrics
    app.include_router(routes.state_routes(engine, metrics))
    app.include_router(routes.model_routes(recognizer))
    app.include_router(routes.picture_routes(engine, settings.limits, metrics, places))
    app.include_router(routes.video_routes(engine, places))
    app.include_router(routes.stream_routes(engine, settings.limits, metrics))
    app.mount("/", _Page(directory=STATIC, html=True))
    _add_errors(app)
    app.add_middleware(Guard, settings=settings, metrics=metrics, places=places)
    return app


class _Page(StaticFiles):
    """The files of the page, always whole: requests for parts of them would be refused in plain text.

    What has no other route comes here: it is looked for before its method is judged.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def get_path(self, scope: Scope) -> str:
        path = super().get_path(scope)
        if scope["path"] not in {"/", f"/{path}"} or scope["path"] == "/.":  # one address a file: `/x/..%2f` is none
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return path

    async def get_response(self, path: str, scope: Scope) -> Response:
        found = await super().get_response(path, {**scope, "method": "GET"})
        if scope["method"] != "GET":
            said = not_answered(scope["method"], guard.READ_ONLY)
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, said, {"allow": guard.READ_ONLY})
        return found


def _add_errors(app: FastAPI) -> None:
    """Every error as the same JSON; of an unexpected exception the client learns no detail."""
    app.add_exception_handler(MienError, _of_mien)
    app.add_exception_handler(HTTPException, _of_starlette)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(WebSocketRequestValidationError, _of_stream)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unforeseen)


async def _of_mien(request: Request, error: Exception) -> Response:
    assert isinstance(error, MienError)
    if request.scope["type"] == "websocket":
        raise error  # `Guard` refuses the handshake
    return _answer(routes.status_of(error), str(error))


async def _of_starlette(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        said = f"nothing is at {request.scope['path'][:200]!r}; {guard.OPENAPI} lists the addresses"
    response = _answer(error.status_code, said)
    response.headers.update(error.headers or {})
    return response


async def _of_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(422, _said_of_parameters(error))


async def _of_stream(socket: WebSocket, error: Exception) -> None:
    assert isinstance(error, WebSocketRequestValidationError)
    raise RequestError(422, _said_of_parameters(error))


def _said_of_parameters(error: ValidationException) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


async def _gone(request: Request, error: Exception) -> Response:
    return _answer(400, "the request broke off")


async def _unforeseen(request: Request, error: Exception) -> Response:
    response = _answer(500, "an error of the service; its log says which")
    response.headers.update(SECURITY_HEADERS)
    return response


def _answer(status: int, message: str) -> Response:
    return Response(problem(message), status, refusal_headers(status), "application/json")
