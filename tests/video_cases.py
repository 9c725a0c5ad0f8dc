"""Cases of videos: container x codec x clock x first stamp x orientation x sound x place, written and judged by FFmpeg.

FFmpeg is the program that imageio-ffmpeg carries, not the libraries inside PyAV. MIEN_CASES=N draws N cases of each
kind instead of a few.
"""

import os
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from waiting import run

RATE = 25
COUNT = 30
SIZE = 64, 48

CODECS = {
    "mp4": ("libx264", "mpeg4"),
    "mov": ("libx264", "mjpeg"),
    "mkv": ("libx264", "libvpx", "mjpeg", "ffv1"),
    "webm": ("libvpx",),
    "3g2": ("libx264", "mpeg4"),
    "flv": ("libx264",),
    "ts": ("libx264", "mpeg2video"),
    "mpg": ("mpeg1video", "mpeg2video"),
    "vob": ("mpeg2video",),
}
CLOCKS = ("plain", "back", "still", "leap", "wrap")
DISCONTINUOUS = ("ts", "mpg", "vob")
"""What is joined with `cat`, and whose clocks wrap."""

ORIENTATIONS = [(turn, mirror) for turn in (0, 90, 180, 270) for mirror in (False, True)]
FIRST = (-1.0, 0.0, 0.5, 10.0, 3600.0)
RATES = (4000, 8000, 11_024, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 176_400, 192_000)
CODED_SOUND = {"mp4": "aac", "mov": "pcm_s16le", "mkv": "flac", "webm": "libopus", "flv": "aac", "ts": "mp2"}
SOUNDS = ("none", "coded", "raw", "unknown")
PLACES = ("copy.mp4", "with space/c o p y.mp4", "100%d/ü #1.mp4", "a:b/[x].mp4", ".hidden/-copy.mp4")

_EXAMPLES = int(os.environ.get("MIEN_CASES", "0"))


@dataclass(frozen=True)
class Case:
    """A video to be written; its frames are 25 a second but for what its clock does."""

    container: str
    codec: str
    clock: str = "plain"
    first: float = 0.0
    turn: int = 0
    mirror: bool = False
    sound: str = "none"
    rate: int = 48_000
    place: str = "copy.mp4"


def drawn(few):
    """Settings of a test that draws cases."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=_EXAMPLES or few, derandomize=not _EXAMPLES, deadline=None, suppress_health_check=checks
    )


@st.composite
def cases(draw, clock="plain"):
    container = draw(st.sampled_from(_containers(clock)))
    turnable = container in ("mp4", "mov", "mkv")
    turn, mirror = draw(st.sampled_from(ORIENTATIONS)) if turnable else (0, False)
    sounds = SOUNDS if container in ("mkv", "mov") else SOUNDS[:2] if container in CODED_SOUND else SOUNDS[:1]
    return Case(
        container,
        draw(st.sampled_from(CODECS[container])),
        clock,
        draw(st.sampled_from(FIRST)) if clock == "plain" else 0.0,
        turn,
        mirror,
        draw(st.sampled_from(sounds)) if clock == "plain" or container in DISCONTINUOUS else "none",
        draw(st.sampled_from(RATES)),
        draw(st.sampled_from(PLACES)),
    )


def _containers(clock):
    if clock == "wrap":
        return DISCONTINUOUS
    # Program streams stamp a few frames only, so that their clock does not stand still.
    return [name for name in CODECS if clock != "still" or name not in ("mpg", "vob")]


def ffmpeg(*arguments):
    """What FFmpeg writes to its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    done = run(command, capture_output=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, stderr=done.stderr.decode()[-500:])
    return done.stdout


def written(case, folder):
    """The video of a case as a file."""
    path, coded = Path(folder) / f"clip.{case.container}", Path(folder) / "coded.mkv"
    width, height = SIZE
    picture = ["-f", "lavfi", "-i", f"testsrc2=s={width}x{height}:r={RATE}:d={COUNT / RATE}"]
    ordered = ["-bf", "0"] if case.clock in ("still", "leap", "back") else []
    ffmpeg(*picture, *_sound(case), "-c:v", case.codec, "-g", "10", *ordered, coded)
    turned = ["-display_rotation", case.turn, *(["-display_hflip"] if case.mirror else [])]
    turned = turned if case.turn or case.mirror else []
    ffmpeg(*turned, "-i", coded, "-map", "0", "-c", "copy", *_clock(case), path)
    content = path.read_bytes()
    if joined(case):
        path.write_bytes(content * 2)
    if case.sound == "unknown":
        name, odd = (b"A_PCM/INT/LIT", b"A_ODD/ODD/ODD") if case.container == "mkv" else (b"sowt", b"oddx")
        assert name in content
        path.write_bytes(content.replace(name, odd))
    return path


def joined(case):
    """Whether a video is two files, one behind the other."""
    return case.clock == "back" and case.container in DISCONTINUOUS


def _sound(case):
    if case.sound == "none":
        return []
    codec = CODED_SOUND[case.container] if case.sound == "coded" else "pcm_s16le"
    rate = 48_000 if case.sound == "unknown" or codec in ("aac", "libopus", "mp2") else case.rate
    return ["-f", "lavfi", "-i", f"sine=d={COUNT / RATE}:r={rate}", "-c:a", codec, "-ar", rate]


def _clock(case):
    change = {
        # Where the writer insists on growing stamps, it makes a clock that stands still of one that jumps back.
        "back": f"TS-gte(N\\,12)*{8 / RATE}/TB",
        "still": f"TS-between(N\\,8\\,15)*(N-8)*{1 / RATE}/TB",
        "leap": "TS+gte(N\\,12)*1000/TB",
    }.get(case.clock)
    if change and not joined(case):
        return ["-bsf:v", f"setts=pts=P{change}:dts=D{change}"]
    first = 2**33 / 90_000 - 0.9 if case.clock == "wrap" else case.first
    return ["-output_ts_offset", first] if first else []


def shown(path):
    """The images of a video as FFmpeg shows them, turned by its own autorotation: RGB (N, H, W, 3)."""
    (height, width), raw = _shown_size(path), ffmpeg("-i", path, *_FRAMES, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


_FRAMES = ("-map", "0:v:0", "-fps_mode", "passthrough")


def _shown_size(path):
    header = ffmpeg("-i", path, *_FRAMES, "-frames:v", 1, "-f", "framecrc", "-").decode()
    width, height = next(line for line in header.splitlines() if line.startswith("#dimensions")).split()[-1].split("x")
    return int(height), int(width)


def times(path, stream="v"):
    """When each frame of a video begins, and how long the last one is shown, as FFmpeg says, seconds."""
    chosen = ("-map", f"0:{stream}:0", "-fps_mode", "passthrough") if stream == "v" else ("-map", "0:a:0")
    lines = ffmpeg("-i", path, *chosen, "-f", "framecrc", "-").decode().splitlines()
    base = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb"))
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    return [float(int(row[2]) * base) for row in rows], float(int(rows[-1][3]) * base)
