"""What is drawn of faces: the options of `mien.annotate`, of annotated copies and of the window."""

from typing import Any, TypedDict

from mien.given import flag, options


class DrawingOptions(TypedDict, total=False):
    """What is drawn; see `mien.annotate`."""

    labels: bool
    bars: bool
    blur: bool
    say_no_face: bool


def checked(given: DrawingOptions) -> DrawingOptions:
    """Options that a caller gives.

    Raises:
        UsageError: one that there is not, or that is neither True nor False.
    """
    options(given, DrawingOptions.__annotations__)
    plain: Any = {name: flag(name, value) for name, value in given.items()}
    known: DrawingOptions = plain
    return known
