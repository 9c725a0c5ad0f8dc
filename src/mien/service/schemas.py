"""JSON schemas of requests and responses, for the OpenAPI document; results are `mien.results.Frame.to_dict`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mien.results import SCHEMA

Probability = Annotated[float, Field(ge=0, le=1)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PictureData(_Document):
    """One picture in JSON."""

    data: Annotated[str, Field(description="The file in base64; a data URL too.", json_schema_extra={"format": "byte"})]
    name: Annotated[str, Field(max_length=255, description="Comes back as `source`.")] = ""


class Pictures(_Document):
    """Several pictures in JSON."""

    pictures: Annotated[list[PictureData], Field(min_length=1)]


class FaceResult(_Document):
    """One face and its expression."""

    face: Annotated[int, Field(ge=0, description="Number within the picture or frame, from 0.")]
    box: Annotated[list[int], Field(min_length=4, max_length=4, description="x, y, width, height in pixels.")]
    confidence: Annotated[Probability, Field(description="Confidence of the face detector.")]
    emotion: Annotated[str, Field(description="The likeliest of the model's `labels`; in videos after smoothing.")]
    probability: Annotated[Probability, Field(description="Of `emotion`.")]
    certain: Annotated[bool, Field(description="Whether `probability` is as high as was asked for.")]
    face_size: Annotated[int | None, Field(ge=1, description="Height of the face in pixels.")]
    sharpness: Annotated[float | None, Field(ge=0, description="Variance of the Laplacian at 48x48 pixels.")]
    brightness: Annotated[float | None, Field(ge=0, le=255, description="Mean grey level of the face.")]
    yaw: Annotated[float | None, Field(ge=-90, le=90, description="Degrees turned to the right side of the picture.")]
    pitch: Annotated[float | None, Field(ge=-180, le=180, description="Degrees raised.")]
    roll: Annotated[float | None, Field(ge=-180, le=180, description="Degrees tilted clockwise in the picture.")]
    probabilities: Annotated[dict[str, Probability], Field(description="Calibrated class probabilities, sum 1.")]
    landmarks: Annotated[
        list[Annotated[list[float], Field(min_length=2, max_length=2)]],
        Field(description="Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture."),
    ]
    track: Annotated[int | None, Field(description="Number of the person in a video or stream.")]


class FrameResult(_Document):
    """One picture, or one frame of a video or stream: one line of `mien predict --format jsonl`."""

    schema_: Annotated[Literal[SCHEMA], Field(alias="schema", description="Version of these names.")]  # type: ignore[valid-type]
    source: Annotated[str, Field(description="What the client called it.")]
    index: Annotated[int, Field(ge=0, description="Number within a video or stream.")]
    time: Annotated[float | None, Field(description="Seconds from the start of a video or stream.")]
    width: Annotated[int, Field(ge=0)]
    height: Annotated[int, Field(ge=0)]
    faces: Annotated[list[FaceResult], Field(description="Largest first; empty when there is none.")]
    error: Annotated[str | None, Field(description="Why it could not be read.")]


class Problem(_Document):
    """Why a request was refused: one line that says what, what was expected and how to mend it."""

    error: str


class Health(_Document):
    """Health of the service."""

    status: Literal["ok", "starting", "draining", "stuck"]


class ModelDescription(BaseModel):
    """A loaded model: its card, as in the model file."""

    name: str
    network: str
    parameters: int
    macs: int
    labels: Annotated[list[str], Field(description="Names of the classes, in the order of the probabilities.")]
    colours: Annotated[dict[str, str], Field(description="Of the classes in drawings, `#rrggbb`.")]
    preprocess: dict[str, Any]
    temperature: float
    training: dict[str, Any]
    public_test: dict[str, Any]
    licence: str
    sha256: Annotated[str, Field(description="Hash of the model file.")]
