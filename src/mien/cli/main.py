"""The command `mien`: its verbs, and how their errors reach the user.

Every verb lies in a file of its own and imports what it needs when it runs, so that `mien --help` stays fast.
"""

import sys
from typing import Annotated

import typer

from mien.cli.compare import compare
from mien.cli.data import app as data
from mien.cli.evaluate import evaluate
from mien.cli.export import export
from mien.cli.messages import show_messages
from mien.cli.models import models
from mien.cli.predict import predict
from mien.cli.serve import serve
from mien.cli.sweep import sweep
from mien.cli.train import train
from mien.errors import MienError
from mien.version import __version__

app = typer.Typer(
    help="Facial expression recognition, the whole way: data, training, honest evaluation, export, pictures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    show_messages()


app.command("predict")(predict)
app.command("serve")(serve)
app.command("train")(train)
app.command("sweep")(sweep)
app.command("compare")(compare)
app.command("export")(export)
app.command("evaluate")(evaluate)
app.command("models")(models)
app.add_typer(data, name="data")


def run() -> None:
    """Run the command line; an error made on purpose becomes one line on standard error and the exit status."""
    try:
        app()
    except MienError as error:
        typer.secho(f"mien: {error}", fg="red", err=True)
        sys.exit(error.exit_status)
