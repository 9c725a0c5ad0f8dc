"""What is used unless the caller asks for something else: one value for Python, command line and service."""

from pathlib import Path
from typing import Final

from mien.choices import CLEANING_RULES, Alignment, DetectorName

DEFAULT_MODEL: Final = "mien_s"
"""Embedded model."""

DEFAULT_DETECTOR: Final[DetectorName] = "yunet"

DEFAULT_ALIGNMENT: Final[Alignment] = "fer2013"

DEFAULT_PREFERENCE: Final = "largest"

DEFAULT_FOLDER: Final = Path("mien-out")
"""Where commands write pictures, in the current folder."""

MIN_SCORE: Final = 0.6
"""Least score of a face. YuNet gave 0.77 to 0.95 to faces of 14 px and more in photos, at most 0.59 to galaxies and
craters, and 0.76 to part of a motorcycle.
"""

MIN_FACE: Final = 48
"""Height in pixels from which faces are found in pictures of any size: the side of the crops that networks read."""

DEFAULT_SMOOTHING: Final = "auto"
"""Of expressions in videos."""

REOPEN_SECONDS: Final = 600.0
"""For how long a live source that broke off is opened again."""

DEFAULT_FPS: Final = 25.0
"""Frames a second of what has no times of its own: numbered pictures and raw streams."""

DEFAULT_RULES: Final = CLEANING_RULES[:4]
"""Cleaning rules that need neither a model nor a debatable threshold."""

LONGEST_SECONDS: Final = 86_400
"""A day: most that a limit of time may be. The system's timers take no infinity, and not every large number."""

JOB_SECONDS: Final = 60.0
"""In a job: time limit of a picture, or of the next frame of a video."""

CHEAP_CPU_SECONDS: Final = 0.4
"""Processor time from which a picture or frame that is late is held to be costly; before, the machine is busy."""

STARVED_SECONDS: Final = 7.5
"""Time that is added to the limit of one that has not had so much."""
