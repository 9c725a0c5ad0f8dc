"""Options of `mien predict` that make it a job, and how they are read."""

import re
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from mien.choices import OWN_RAY
from mien.defaults import LONGEST_SECONDS
from mien.errors import UsageError

_CLUSTER: Final = "--cluster"
_ADDRESS: Final = re.compile(rf"{OWN_RAY}|auto|ray://.+|[\w.-]+:\d+|\[[0-9a-f:]+\]:\d+", re.IGNORECASE)

Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Write Parquet parts into --out DIR, each whole or absent, and go on where a killed run stopped. Sources "
        "may then be lists of paths (.txt, .csv, .parquet) and addresses of object stores too.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        _CLUSTER,
        metavar="[ADDRESS]",
        help="A job over a Ray cluster: HOST:PORT, or auto on one of its machines; without an address a Ray of its own "
        "on this machine, for trying.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Of a job every N-th part, from the I-th on, counted from 0."),
]
TimeLimit = Annotated[
    float,
    typer.Option(
        "--time-limit",
        min=0.1,
        max=LONGEST_SECONDS,
        metavar="SECONDS",
        help="In a job: for a picture, or a video's next frame.",
    ),
]


class JobCommand(TyperCommand):
    """`mien predict`, whose option ``--cluster`` may stand without an address."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments, with the address that was left out."""
        return super().parse_args(ctx, with_address(args))


def with_address(arguments: list[str]) -> list[str]:
    """The arguments with `OWN_RAY` after a ``--cluster`` that no address follows."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    done: list[str] = []
    for argument, following in zip(arguments[:end], [*arguments[1:end], ""][:end], strict=True):
        done.append(argument)
        if argument == _CLUSTER and not _ADDRESS.fullmatch(following):
            done.append(OWN_RAY)
    return [*done, *arguments[end:]]


def shard_of(text: str | None) -> tuple[int, int] | None:
    """The shard that a text such as ``3/100`` names.

    Raises:
        UsageError: it names none.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not int(found[1]) < int(found[2]):
        raise UsageError(f"--shard is {text!r}: expected I/N with 0 <= I < N, such as 0/8")
    return int(found[1]), int(found[2])
