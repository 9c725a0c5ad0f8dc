"""Parameters in the query of a request: their ranges, and what is drawn into an annotated picture."""

from dataclasses import asdict, dataclass
from typing import Annotated, Final

from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from mien.choices import MOST_YAW
from mien.errors import RequestError, nearest
from mien.output.drawing_options import DrawingOptions
from mien.service.searching import Wishes

Name = Annotated[str, Query(max_length=255, description="Comes back as `source`.")]

Every = Annotated[int | None, Query(ge=1, description="Run full-frame detection every N frames.")]

MinConfidence = Annotated[float, Query(ge=0, le=1, description="Of the detector; below the service's own: no change.")]
MinProbability = Annotated[float, Query(ge=0, le=1, description="Of an expression to be `certain`.")]
MaxFaces = Annotated[int | None, Query(ge=1, description="The largest faces only.")]
MinFace = Annotated[int | None, Query(ge=1, description="No faces that are lower, in pixels.")]
MaxYaw = Annotated[float | None, Query(ge=0, le=MOST_YAW, description="No faces turned farther, in degrees.")]


def wishes_of(
    min_confidence: MinConfidence = 0.0,
    min_probability: MinProbability = 0.0,
    max_faces: MaxFaces = None,
    min_face: MinFace = None,
    max_yaw: MaxYaw = None,
) -> Wishes:
    """What a request asks for by its query."""
    return Wishes(min_confidence, min_probability, max_faces, min_face, max_yaw)


_OF_PNG: Final = "Of an annotated picture (`Accept: image/png`): "


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn into an annotated picture: parameters of the query."""

    labels: Annotated[bool, Query(description=f"{_OF_PNG}the expression beside each face.")] = True
    bars: Annotated[bool, Query(description=f"{_OF_PNG}a bar for each probability beside a face.")] = True
    blur: Annotated[bool, Query(description=f"{_OF_PNG}faces made unrecognisable.")] = False
    say_no_face: Annotated[bool, Query(description=f'{_OF_PNG}"no face found" where there is none.')] = False

    def options(self) -> DrawingOptions:
        """As `mien.annotate` takes them."""
        return DrawingOptions(labels=self.labels, bars=self.bars, blur=self.blur, say_no_face=self.say_no_face)

    def asked(self) -> dict[str, bool]:
        """What differs from the defaults, by name."""
        usual = asdict(Drawing())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def check(self, wishes: Wishes, *, draws: bool) -> None:
        """Refuse what nobody would expect: parameters that change nothing, faces that would stay clear.

        Args:
            wishes: the other parameters.
            draws: whether an annotated picture is asked for.

        Raises:
            RequestError: 422.
        """
        if not draws and (asked := self.asked()):
            said = f"{' and '.join(asked)} change annotated pictures only: add the header Accept: image/png"
            raise RequestError(422, said)
        fewer = [name for name in ("min_confidence", "min_face", "max_yaw", "max_faces") if name in wishes.options()]
        if self.blur and fewer:
            said = f"blur would leave clear the faces that {' and '.join(fewer)} leaves out: leave one out"
            raise RequestError(422, said)


def _check_known(connection: HTTPConnection) -> None:
    """Refuse parameters of the query that its route does not have, or that come twice: they would be ignored, which
    nobody expects.

    Raises:
        RequestError: 422.
    """
    route = connection.scope["route"].dependant
    known = [field.alias for part in (route, *route.dependencies) for field in part.query_params]
    for name in connection.query_params:
        if name not in known:
            hint = nearest(name, known) or (f"; there are {', '.join(known)}" if known else "; there is none")
            raise RequestError(422, f"unknown parameter {name[:50]!r}{hint}")
        if len(connection.query_params.getlist(name)) > 1:
            raise RequestError(422, f"the parameter {name!r} comes twice: send it once")


KNOWN_ONLY: Final = [Depends(_check_known)]
"""Dependencies of routes that have parameters of their own, or none."""
