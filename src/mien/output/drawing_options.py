"""What is drawn of faces: the options of `mien.annotate`, of annotated copies and of the window."""

from typing import TypedDict


class DrawingOptions(TypedDict, total=False):
    """What is drawn; see `mien.annotate`."""

    labels: bool
    bars: bool
    blur: bool
    say_no_face: bool
