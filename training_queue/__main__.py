"""`python -m training_queue COMMAND`, from the root of the repository; `make queue` and its relatives call it."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.runs import CHECKPOINT_FILE
from training_queue import checkpoints, hours
from training_queue.home import Home, QueueError, is_alive
from training_queue.listing import load_list
from training_queue.processes import StopAskedError, StopSignal, waited
from training_queue.queue import Queue, Workplace, load_ready, settle_killed
from training_queue.status import lines, status_of
from training_queue.workspace import repository_of

_LIST: Final = Path(__file__).with_name("trainings.toml")
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 60.0


def start(place: Workplace, options: argparse.Namespace) -> int:
    """Start the queue in the background, or let it go on."""
    _free_lock(place.home)
    load_ready(place)
    words = [sys.executable, "-m", "training_queue", "--list", str(place.file), "--home", str(place.home.path)]
    words += ["--python", place.python, "--nice", str(options.nice), "run"]
    with place.home.output.open("ab") as output:
        queue = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    waited(lambda: _runs(place.home, queue.pid) or queue.poll() is not None, _START_SECONDS)
    if queue.poll():
        raise QueueError(f"it ended at once: {place.home.output.read_text(encoding='utf-8').splitlines()[-1]}")
    print(f"queue: process {queue.pid} runs behind all other work and says in {place.home.output} what it does")
    return 0


def _runs(home: Home, process: int) -> bool:
    running = home.running()
    return running is not None and running.queue == process


def _free_lock(home: Home) -> None:
    """Clear up after a queue that was killed; refuse beside one that runs."""
    home.make()
    killed = settle_killed(home)
    if killed:
        print(f"the queue that ran before (process {killed.queue}) was killed; going on where it was")
    running = home.running()
    if running is not None:
        raise QueueError(f"a queue runs already (process {running.queue}); see queue-status, or end it by queue-stop")


def run(place: Workplace, options: argparse.Namespace) -> int:
    """Be the queue, in the foreground."""
    _free_lock(place.home)
    lock = place.home.acquire()
    os.nice(options.nice)
    stop = StopSignal()
    for line in checkpoints.restore_missing(place.home, _packs_of(place)):
        _say(line)
    try:
        whole = Queue(place, lock, stop, _say).run()
    except StopAskedError:
        _say("stopped")
        return 0
    _say("all trainings are done" if whole else "nothing is left that can be trained; see queue-status")
    return 0 if whole else 1


def _say(line: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)


def stop(place: Workplace, _options: argparse.Namespace) -> int:
    """End the queue and its training; both go on with `start`."""
    home = place.home
    running = home.running()
    if running is None:
        print("queue: does not run")
        return 0
    if home.is_locked() and is_alive(running.queue):
        os.kill(running.queue, 15)
        if not waited(lambda: not home.is_locked(), _STOP_SECONDS):
            raise QueueError(f"process {running.queue} does not end; kill it, nothing is lost by that")
    settle_killed(home)
    print("queue: stopped")
    if running.training:
        last = [stretch for stretch in hours.read(home.hours) if stretch.name == running.training][-1]
        print(f"{last.name}: {last.epochs[1]} epochs in its log; the {last.lost:.0f} s after its checkpoint come again")
    return 0


def show_status(place: Workplace, options: argparse.Namespace) -> int:
    """Show what is done, running and left, and the hours."""
    document = status_of(place.home, load_list(place.file))
    print(json.dumps(document) if options.json else "\n".join(lines(document)))
    return 0


def retry(place: Workplace, options: argparse.Namespace) -> int:
    """Forget how a training ended, so that the queue takes it up again."""
    outcome = place.home.outcome(options.name)
    if outcome is None:
        raise QueueError(f"{options.name}: has not ended, so there is nothing to retry")
    if outcome.result == "done" and not (place.home.run(options.name) / CHECKPOINT_FILE).exists():
        raise QueueError(f"{options.name}: was restored without its checkpoint; remove its run folder to train it anew")
    place.home.outcome_file(options.name).unlink()
    return 0


def pack(place: Workplace, options: argparse.Namespace) -> int:
    """Pack checkpoints beside the list, and the log of hours with them; git takes them from there."""
    folder = _packs_of(place)
    settle_killed(place.home)
    for name in options.names or _packable(place):
        size = checkpoints.pack(place.home, name, folder, half=options.half)
        print(f"{name}: {size / 1e6:.1f} MB in {folder / name}")
    checkpoints.pack_hours(place.home, folder)
    return 0


def _packable(place: Workplace) -> list[str]:
    home, names = place.home, [training.name for training in load_list(place.file).trainings]
    return [name for name in names if (home.run(name) / CHECKPOINT_FILE).exists() or home.outcome(name)]


def _packs_of(place: Workplace) -> Path:
    return place.file.parent / "checkpoints"


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line and do what it says; the exit status."""
    options = _parser().parse_args(words)
    command: Callable[[Workplace, argparse.Namespace], int] = options.function
    try:
        root = repository_of(options.list)
        python = str(Path(options.python).absolute()) if options.python else ""
        place = Workplace(options.list.absolute(), root, Home(options.home or root / "runs" / "queue"), python)
        exit_status = command(place, options)
        sys.stdout.flush()
        return exit_status
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MienError as error:
        print(f"training_queue: {error}", file=sys.stderr)
        return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training_queue", description=__doc__)
    parser.add_argument("--list", type=Path, default=_LIST, help="list of trainings, a TOML file")
    parser.add_argument("--home", type=Path, help="folder to work in; otherwise runs/queue of the repository")
    parser.add_argument("--python", default="", help="interpreter with mien's dependencies, in place of an environment")
    parser.add_argument(
        "--nice",
        type=int,
        default=19,
        choices=range(20),
        metavar="N",
        help="how far behind other work the queue stands, 0 to 19",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add(commands, "start", start)
    _add(commands, "run", run)
    _add(commands, "stop", stop)
    _add(commands, "status", show_status).add_argument("--json", action="store_true", help="as one JSON document")
    _add(commands, "retry", retry).add_argument("name", help="of the training")
    packing = _add(commands, "pack", pack)
    packing.add_argument("names", nargs="*", help="of trainings; otherwise all that have begun")
    packing.add_argument("--half", action="store_true", help="average in float16, optimizer in bfloat16: not the same")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: Callable[[Workplace, argparse.Namespace], int],
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
    command.set_defaults(function=function)
    return command


if __name__ == "__main__":
    sys.exit(main())
