"""Options of `mien predict` that say which frames of a video are recognised, and how they are steadied."""

from typing import Annotated

import typer

from mien.choices import SmoothingName

Start = Annotated[
    str | None,
    typer.Option(metavar="T", help="Begin a video at T: seconds, mm:ss or hh:mm:ss.mmm. Times stay the video's."),
]
End = Annotated[str | None, typer.Option(metavar="T", help="Leave out the frames of a video from T on.")]
Step = Annotated[int, typer.Option(min=1, metavar="N", help="Recognize every N-th frame of a video only.")]
FpsOut = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="F", help="Recognize at most F frames of each second of a video."),
]

Smooth = Annotated[
    SmoothingName,
    typer.Option(
        help="Temporal smoothing of expressions in videos. auto: symmetric for files, which moves no onset; ema for "
        "live sources."
    ),
]
TimeConstant = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="SECONDS", help="Time constant of --smooth symmetric and ema. Default: 0.5."),
]
Raw = Annotated[bool, typer.Option("--raw", help="Rows of videos have the probabilities before smoothing, too.")]
Reopen = Annotated[
    float,
    typer.Option(min=0, metavar="SECONDS", help="How long to open a lost camera or stream again; 0: not at all."),
]
EpisodeProbability = Annotated[
    float,
    typer.Option(
        "--episode-min-probability",
        min=0,
        max=1,
        metavar="P",
        help="Frames with a less probable expression belong to no episode (--out).",
    ),
]
EpisodeSeconds = Annotated[
    float,
    typer.Option("--episode-min-seconds", min=0, metavar="SECONDS", help="Leave out shorter episodes (--out)."),
]
