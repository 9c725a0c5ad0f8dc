"""`mien jobs`: where a job stands."""

from typing import Annotated

import typer

from mien.cli.options import AsJson


def jobs(
    out: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a job, or its address in an object store.")],
    as_json: AsJson = False,
) -> None:
    """Say how far a job of `mien predict --resume` is: inputs owed, done and failed, rate and time left."""
    from mien.cli.predict_job import duration
    from mien.cli.stdout import write_stdout
    from mien.cli.tables import print_text
    from mien.jobs import status
    from mien.toml_json import to_json

    found = status(out)
    if as_json:
        write_stdout(to_json(found.to_dict()))
        return
    left = found.seconds_left
    lines = [
        f"inputs     {found.inputs:,}",
        f"done       {found.done:,} ({found.failed:,} failed), {found.rows:,} rows",
        f"owed       {found.owed:,}",
        f"parts      {found.parts_done:,} of {found.parts:,}{', finished' if found.finished else ''}",
        f"rate       {'-' if found.rate is None else f'{found.rate:.1f} inputs a second'}",
        f"time left  {'-' if left is None else duration(left)}",
    ]
    print_text("\n".join(lines))
