"""The command `mien`: its verbs, and how their errors reach the user.

Every verb lies in a file of its own and imports what it needs when it runs, so that `mien --help` stays fast.
"""

import errno
import gc
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Annotated, Final

import typer

from mien.cli.compare import compare
from mien.cli.data import app as data
from mien.cli.demo import demo
from mien.cli.doctor import doctor
from mien.cli.evaluate import evaluate
from mien.cli.explain import explain
from mien.cli.export import export
from mien.cli.job_options import JobCommand
from mien.cli.jobs import jobs
from mien.cli.messages import log, show_messages
from mien.cli.models import models
from mien.cli.predict import predict
from mien.cli.pretrained import pretrained
from mien.cli.serve import serve
from mien.cli.stdout import replace_closed_streams, silence_stdout
from mien.cli.sweep import sweep
from mien.cli.tables import print_text
from mien.cli.train import train
from mien.cli.web import web
from mien.errors import MienError
from mien.version import __version__

_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EBADF})
"""A disk that is full, for this user or for this file; broken; not to be written; closed."""

app = typer.Typer(
    help="Facial expression recognition, the whole way: data, training, honest evaluation, export, pictures.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


_OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
"""Importing creates so many that Python's 700 look for reference cycles all the time: a tenth of the start."""


_SCRIPT: Final = "mien"
"""What the script is called that pip makes."""

_TO_TRY: Final = """\
mien demo                              read the expression in a photo that comes with mien
mien predict PHOTO.jpg --out DIR       in your own photos, videos and folders of them
mien --help                            all commands; mien doctor: what it runs on"""


@app.callback()
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    show_messages()
    if context.invoked_subcommand is None:
        print_text(_TO_TRY)


app.command("demo")(demo)
app.command("predict", cls=JobCommand)(predict)
app.command("explain")(explain)
app.command("jobs")(jobs)
app.command("serve")(serve)
app.command("web")(web)
app.command("pretrained")(pretrained)
app.command("train")(train)
app.command("sweep")(sweep)
app.command("compare")(compare)
app.command("export")(export)
app.command("evaluate")(evaluate)
app.command("models")(models)
app.command("doctor")(doctor)
app.add_typer(data, name="data")


def run() -> None:
    """Run the command line; an error made on purpose becomes one line on standard error and the exit status.

    So does a disk that is full or broken, wherever it is met.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    _keep_workers_from_importing_this()
    replace_closed_streams()
    show_messages()
    status = _status()
    gc.freeze()  # or the interpreter looks for cycles among all that was imported, thrice, before it ends
    sys.exit(_flushed() or status)


def _keep_workers_from_importing_this() -> None:
    """Every process that is started imports the program that starts it, whose script imports this command line: twice
    the processor time and 8 MB for each worker. Of `python -m mien` none does, so the script passes for that. A program
    of somebody's own, which imports a network and calls `run`, is none: its processes need the network, too.
    """
    program = sys.modules["__main__"]
    script = Path(getattr(program, "__file__", None) or "").name
    if script == _SCRIPT and getattr(program, "run", None) is run and program.__spec__ is None:
        program.__spec__ = ModuleSpec("mien.__main__", None)


def _status() -> int | str | None:
    """What the command exits with; Typer ends every command, done or not, by ``SystemExit``."""
    try:
        app()
    except SystemExit as end:
        return end.code
    except MienError as error:
        log.error("%s", error)
        return error.exit_status
    except OSError as error:
        return _disk_failure(error)
    return 0


def _flushed() -> int:
    """Write what standard output holds back; the exit status: 1 when it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # its reader wants no more
        silence_stdout()
        return 1
    except OSError as error:
        return _disk_failure(error)
    return 0


def _disk_failure(error: OSError) -> int:
    if error.errno == errno.ENAMETOOLONG:
        log.error("%.60s...: no such file (%s)", error.filename, error.strerror)
        return 1
    if error.errno not in _DISK:
        raise error
    silence_stdout()
    log.error("%s: cannot be written (%s)", error.filename or "standard output", error.strerror)
    return 1
