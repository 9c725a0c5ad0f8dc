"""The words and examples of the OpenAPI document."""

from typing import Any, Final

from mien.labels import EMOTIONS
from mien.results import SCHEMA
from mien.service.media_types import ANY, PICTURES, VIDEOS
from mien.service.schemas import FrameResult, Pictures, Problem

API: Final[dict[str, Any]] = {
    "description": (
        "Facial expressions in pictures, videos and live streams. Results are the JSON of `mien predict --format json`."
        " Pictures are decoded in memory, and neither kept nor logged. Live streams: `/v1/stream`, a WebSocket that"
        " takes pictures as binary messages and answers each that it looks at with a `FrameResult`."
    ),
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

_REASONS: Final = {
    400: "The form or the JSON is malformed.",
    401: "A bearer token is needed.",
    403: "Cross-origin request from a page that is not allowed; or a video, where the service takes none.",
    406: "The Accept header takes neither JSON nor PNG.",
    408: "Timeout: the request was sent too slowly.",
    413: "Too many bytes, pixels, pictures, seconds or frames.",
    415: "Unsupported media type.",
    421: "The Host header is not one of this service's names.",
    422: "A parameter is invalid, or no picture can be decoded.",
    429: "Rate limit: too many concurrent requests from one address.",
    503: "Overloaded: too many concurrent requests; or not ready yet.",
}

_FACE: Final = {
    "face": 0,
    "box": [283, 64, 113, 156],
    "confidence": 0.94,
    "emotion": "happy",
    "probability": 0.976,
    "certain": True,
    **{"face_size": 156, "sharpness": 412.3, "brightness": 131.7, "yaw": -4.2, "pitch": 1.9, "roll": -1.7},
    "probabilities": dict(zip(EMOTIONS, (0.002, 0.001, 0.003, 0.976, 0.004, 0.005, 0.009), strict=True)),
    "landmarks": [[315.0, 126.5], [368.2, 124.9], [343.1, 158.8], [321.7, 181.0], [366.9, 179.6]],
    "track": None,
}
_FRAME: Final = {
    **{"schema": SCHEMA, "source": "party.jpg", "index": 0, "time": None},
    **{"width": 640, "height": 480, "faces": [_FACE]},
}
EXAMPLE: Final[dict[str, Any]] = {**_FRAME, "error": None}
"""A frame with one face."""

RESULTS_HEADER: Final = "mien-results"
"""Name of the response header that says what results come from: `mien.results.Header` as JSON."""

_HEADERS: Final = {
    RESULTS_HEADER: {
        "description": "JSON: version of the schema and of mien; name and hash of the model; options.",
        "schema": {"type": "string"},
    }
}

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses, for `responses` of a route."""
    return {status: {"model": Problem, "description": _REASONS[status]} for status in statuses}


ALWAYS: Final = (401, 403, 421)
"""Error statuses of every route under ``/v1``."""

PICTURES_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys((*PICTURES, ANY), _BINARY),
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["picture"],
                    "additionalProperties": False,
                    "properties": {
                        "picture": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
            "application/json": {
                "schema": Pictures.model_json_schema(ref_template="#/components/schemas/{model}"),
                "example": {"pictures": [{"name": "party.jpg", "data": "/9j/4AAQSkZJRg..."}]},
            },
        },
    }
}

VIDEO_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": dict.fromkeys(VIDEOS, _BINARY)},
}

LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": (
            "One `FrameResult` per line, streamed. If the video breaks off, the last line carries the `error`."
        ),
        "headers": _HEADERS,
        "content": {
            "application/x-ndjson": {"schema": FrameResult.model_json_schema(), "example": {**EXAMPLE, "time": 0.0}}
        },
    }
}

FRAMES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A frame for every picture, in order; one that could not be read has an `error`.",
        "headers": _HEADERS,
        "content": {"application/json": {"example": [EXAMPLE]}, "image/png": _BINARY},
    }
}
