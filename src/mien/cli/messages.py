"""Standard error of all commands: messages of the logger `mien`, and progress bars."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console


log: Final = logging.getLogger("mien")
"""Every message goes through this logger; Python users show, keep or silence it like any other."""

_STYLES: Final[dict[int, dict[str, Any]]] = {
    logging.INFO: {"dim": True},
    logging.WARNING: {"fg": "yellow"},
    logging.ERROR: {"fg": "red"},
}


_CONTROLS: Final = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


def printable(text: str) -> str:
    """A text on one line, for terminals: control characters of file names, and of what servers answer, as escapes."""
    return text.translate(_CONTROLS)


class _StandardError(logging.Handler):
    """Messages as lines on standard error, errors after the name of the program."""

    last = ""
    """What was said last."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "mien: " if record.levelno >= logging.ERROR else ""
        style = _STYLES.get(record.levelno, {}) if _coloured() else {}
        self.last = printable(record.getMessage())
        with suppress(OSError):  # a full disk: there is no other place to say it
            typer.secho(f"{prefix}{self.last}", err=True, **style)


def _coloured() -> bool:
    """Whether terminals may be sent colours: https://no-color.org, and a terminal that says that it knows none."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


_HANDLER: Final = _StandardError()


def show_messages() -> None:
    """Let the command line show what the logger `mien` carries; calling it again changes nothing."""
    log.addHandler(_HANDLER)
    log.setLevel(logging.INFO)
    log.propagate = False


@contextmanager
def each_notice_once() -> Iterator[None]:
    """Notices that come again inside the block, for example once for each run of a sweep, are said the first time."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message, before = record.getMessage(), len(said)
        said.add(message)
        return record.levelno > logging.INFO or len(said) > before

    _HANDLER.addFilter(is_new)
    try:
        yield
    finally:
        _HANDLER.removeFilter(is_new)


def was_said_last(message: str) -> bool:
    """Whether a message is the last one that was said, so that there is no need to repeat it."""
    return _HANDLER.last == message


def say_written(paths: Iterable[Path]) -> None:
    """A line for each file that was written."""
    for path in paths:
        log.info("wrote %s", path)


def tracked(messages: "Console", what: str, chunks: range) -> Iterable[int]:
    """The same chunks with a progress bar, where a terminal shows it."""
    from rich.progress import track

    return track(chunks, what, console=messages, transient=True, disable=not messages.is_terminal)
