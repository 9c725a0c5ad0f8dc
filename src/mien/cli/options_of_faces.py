"""Options of `mien predict` that say which faces are wanted."""

from typing import Annotated

import typer

from mien.choices import Preference

MaxFaces = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Keep at most N faces of a picture or frame. Default: all."),
]
Prefer = Annotated[
    Preference, typer.Option(help="Which faces --max-faces keeps; central: nearest to the middle of picture or region.")
]
Region = Annotated[
    str | None,
    typer.Option(metavar="x,y,w,h", help="Leave out faces whose middle lies outside this rectangle, in pixels."),
]
