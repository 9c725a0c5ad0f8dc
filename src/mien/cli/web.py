"""`mien web`: a static folder that recognises expressions wholly in the browser."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Model
from mien.cli.tables import print_text
from mien.defaults import DEFAULT_MODEL


def web(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write: new, empty, or an earlier one of this command.")
    ],
    model: Model = DEFAULT_MODEL,
) -> None:
    """Write a static folder: the page, without a server, for any web host; no picture leaves the visitor's machine."""
    from mien.model.onnx_model import Bundle
    from mien.web.folder import write_web_folder

    bundle = Bundle.load(model)
    sizes = write_web_folder(out, bundle)
    visit = ", ".join(f"{size / 1e6:.1f} MB {kind}" for kind, size in sizes.items())
    print_text(f"wrote {out}: {bundle.card.name}; a first visit loads {visit}")
    print_text(f"to see it: python -m http.server --directory {shlex.quote(str(out))} --bind 127.0.0.1")
