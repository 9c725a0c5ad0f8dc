"""`mien demo`: the expressions in a photo that comes with mien, so that there is something to see at once."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import typer

from mien.cli.tables import print_text
from mien.defaults import DEFAULT_FOLDER

_PHOTO: Final = "astronaut.jpg"
_CREDIT: Final = "Eileen Collins, portrait by NASA, public domain"
_NEXT: Final = """
next:
  mien predict PHOTO.jpg --out annotated/   your own photos, or a folder of them
  mien serve                                a page with a camera button (pip install 'mien[serve]')
  mien --help                               all commands
"""


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the annotated photo.")] = DEFAULT_FOLDER,
) -> None:
    """Read the expression in a public-domain photo and write the annotated picture."""
    from mien.output.folder import Names
    from mien.recognition.shortcuts import recognize

    target = Names(out).picture(_PHOTO)
    seen = recognize((resources.files("mien") / "samples" / _PHOTO).read_bytes())
    print_text(f"{_CREDIT}: {seen.frame.width}x{seen.frame.height} pixels")
    for face in seen.faces:
        others = sorted(face.probabilities.items(), key=lambda pair: -pair[1])[1:3]
        rest = ", ".join(f"{name} {probability:.0%}" for name, probability in others)
        print_text(f"{face.emotion} {face.probability:.0%} ({rest}) at {', '.join(map(str, face.box))}")
    print_text(f"wrote {seen.save(target)}")
    print_text(_NEXT.rstrip("\n"))
