"""Options of `mien predict` that do not go together, or not with what there is to recognise."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mien.choices import SortedAs
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.media.excerpt import Excerpt
    from mien.media.sources import Sources, VideoEntry
    from mien.output.episodes import EpisodeLimits


def refuse_beside_blur(sort: Path | None, **choices: object) -> None:
    """Refuse options that would leave faces clear.

    Args:
        sort: the folder of sorted copies, if any.
        choices: options by which faces are left out; None: one that is not given.

    Raises:
        UsageError: one is given.
    """
    if sort is not None:
        raise UsageError("--sort copies pictures as they are, with clear faces: leave --blur out, or use --out DIR")
    given = [f"--{name.replace('_', '-')}" for name, value in choices.items() if value is not None]
    if given:
        raise UsageError(f"--blur would leave clear the faces that {' and '.join(given)} leaves out: leave one out")


def refuse_unused(
    *, saves: bool, shows: bool, blur: bool, sort: Path | None, sort_as: SortedAs, limits: "EpisodeLimits"
) -> None:
    """Refuse options that would change nothing, which a user who gave them would not notice.

    Args:
        saves: whether annotated copies are written.
        shows: whether there is a window.
        blur: whether faces are blurred in what is drawn.
        sort: the folder of sorted copies, if any.
        sort_as: what is made there.
        limits: which stretches of an expression are episodes.

    Raises:
        UsageError: one is given.
    """
    if sort is None and sort_as == "link":
        raise UsageError("--sort-as says how --sort DIR sorts: add that")
    if blur and not (saves or shows):
        raise UsageError("--blur changes annotated copies, timelines and the window: add --out DIR or --show")
    if not saves and (limits.min_probability or limits.min_seconds):
        raise UsageError("--episode-min-probability and --episode-min-seconds change files of --out: add --out DIR")


def refuse_folder_of_job(out: str | None) -> None:
    """Refuse to write annotated copies into a job, as happens when ``--resume`` is forgotten.

    Args:
        out: what ``--out`` says.

    Raises:
        UsageError: the folder holds a job.
    """
    if not out or not Path(out).is_dir():  # which most are not, and the jobs take a while to import
        return
    from mien.jobs.manifest import MANIFEST
    from mien.jobs.place import PARTS

    if Path(out, MANIFEST).is_file() and Path(out, PARTS).is_dir():
        raise UsageError(f"{out}: holds a job: add --format parquet --resume to go on with it, or name another --out")


def without_what_has_no_part(found: "Sources", excerpt: "Excerpt") -> "Sources":
    """What there is to recognise when only some frames are wanted: beside videos of which a part can be taken, pictures
    and live sources are named as failed, so that the videos are recognised all the same.

    Args:
        found: what was asked for.
        excerpt: which frames of videos are wanted.
    """
    from mien.media.search import EmptySource
    from mien.media.sources import video_name
    from mien.media.video_source import without_password
    from mien.recognition.video import checked_source

    videos: list[VideoEntry] = []
    live: list[EmptySource] = []
    for video in found.videos:
        try:
            checked_source(video, excerpt)
            videos.append(video)
        except UsageError as error:
            live.append(EmptySource(video_name(video), str(error)))
    if not videos or not excerpt.to_dict():
        return found
    pictures = [
        entry
        if isinstance(entry, EmptySource)
        else EmptySource(name := without_password(str(entry)), _for_videos(name, excerpt))
        for entry in found.pictures
    ]
    return replace(found, pictures=(*pictures, *live), videos=tuple(videos))


def _for_videos(picture: str, excerpt: "Excerpt") -> str:
    """What is said of a picture when only some frames of videos are wanted."""
    option = f"--{next(iter(excerpt.to_dict())).replace('_', '-')}"
    return f"{option} is for videos, and {picture} is a picture: leave one out, or --fps N for a video"


def refuse_sources(found: "Sources", excerpt: "Excerpt", *, show: bool, isolate: bool) -> None:
    """Refuse options that do not go with what there is to recognise.

    Args:
        found: what that is.
        excerpt: which frames of videos are wanted.
        show: whether there is a window.
        isolate: whether workers decode everything.

    Raises:
        UsageError: some do not.
    """
    from mien.media.video_source import STANDARD_INPUT
    from mien.recognition.video import checked_source

    pictures = [entry for entry in found.pictures if isinstance(entry, Path | str)]
    if show and pictures:
        raise UsageError(f"--show shows videos, and {pictures[0]} is a picture: use --out DIR, or --fps N for a video")
    if pictures and excerpt.to_dict():
        raise UsageError(_for_videos(str(pictures[0]), excerpt))
    for video in found.videos:
        checked_source(video, excerpt)
    if len(found.live) > 1 and (show or isolate):
        option, names = "--show" if show else "--isolate", f"{found.live[0]} and {found.live[1]}"
        raise UsageError(f"{option} takes one live source, and {names} are two: start mien for each, or leave it out")
    if isolate and STANDARD_INPUT in found.videos:
        raise UsageError("--isolate cannot hand standard input to a worker: write it to a file first")
