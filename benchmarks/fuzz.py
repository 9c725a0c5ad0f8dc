"""Mutated pictures and videos against the service: no hang, no dead service, no 5xx but 503.

    python benchmarks/fuzz.py --pictures 20000 --videos 2000

The seeds are made here, the mutations drawn by number: a failure is named by its number and made again by it.
"""

import argparse
import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import httpx
import pillow_heif
from attacks import PREDICT, VIDEO, encoded
from PIL import Image

CLIENTS = 3
HANG = 120.0
ANY = "application/octet-stream"
EXTREMES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"\xff\xff", b"\0\0")


def picture_seeds() -> list[bytes]:
    """Small pictures of all formats that the service reads, and of some that it does not."""
    chance = Random(5)  # noqa: S311 - the same seeds every time
    photo = Image.frombytes("RGB", (61, 47), chance.randbytes(3 * 61 * 47)).resize((200, 150), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words " * 20
    more = {"save_all": True, "append_images": [photo.rotate(90)] * 2}
    forms = [
        ("JPEG", "RGB", {"quality": 70, "exif": exif}),
        ("JPEG", "L", {"progressive": True, "comment": b"words"}),
        ("JPEG", "CMYK", {"restart_marker_blocks": 3}),
        ("MPO", "RGB", more),
        *(("PNG", mode, {}) for mode in ("RGB", "RGBA", "P", "LA", "I;16", "1")),
        ("PNG", "RGB", {"exif": exif, **more}),
        ("GIF", "RGB", more),
        ("GIF", "L", {"interlace": True}),
        *(("BMP", mode, {}) for mode in ("RGB", "P", "1")),
        *(("WEBP", mode, {"lossless": on}) for mode in ("RGB", "RGBA") for on in (False, True)),
        ("WEBP", "RGB", more),
        *(("AVIF", mode, {"speed": 10, "exif": exif}) for mode in ("RGB", "RGBA", "L")),
        ("AVIF", "RGB", {"speed": 10, **more}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("JPEG2000", "RGB", {}),
    ]
    seeds = []
    for form, mode, options in forms:
        file = io.BytesIO()
        photo.convert("L" if mode == "I;16" else mode).convert(mode).save(file, form, **options)
        seeds.append(file.getvalue())
    file = io.BytesIO()
    pillow_heif.from_pillow(photo).save(file, quality=50)
    return [*seeds, file.getvalue()]


def video_seeds() -> list[tuple[bytes, str]]:
    """Small videos of all containers and most codecs that the service reads, each with its media type."""
    forms = [
        ("mp4", "libx264", "video/mp4", {"preset": "ultrafast"}),
        ("mp4", "libx265", "video/mp4", {"preset": "ultrafast", "x265-params": "log-level=none"}),
        ("mp4", "mpeg4", "video/mp4", {}),
        ("mov", "mjpeg", "video/quicktime", {"pix_fmt": "yuvj420p"}),
        ("webm", "libvpx", "video/webm", {"deadline": "realtime"}),
        ("webm", "libvpx-vp9", "video/webm", {"deadline": "realtime"}),
        ("matroska", "libx264", "video/x-matroska", {"preset": "ultrafast"}),
        ("avi", "mpeg4", "video/x-msvideo", {}),
        ("avi", "mjpeg", "video/x-msvideo", {"pix_fmt": "yuvj420p"}),
    ]
    return [(encoded(form, codec, (96, 64), 6, **options), kind) for form, codec, kind, options in forms]


def mutated(seeds: list[bytes], number: int) -> tuple[int, bytes]:
    """A seed's place, and the seed changed in up to eight ways; the same for the same number."""
    chance = Random(number)  # noqa: S311 - the same mutation for the same number
    place = chance.randrange(len(seeds))
    content = bytearray(seeds[place])
    for _ in range(chance.randrange(1, 9)):
        _mutate(content, seeds, chance)
    return place, bytes(content)


def _mutate(content: bytearray, seeds: list[bytes], chance: Random) -> None:
    # Headers are where decoders are told sizes, so half of all changes are there.
    at = chance.randrange(max(1, len(content) if chance.random() < 0.5 else min(len(content), 200)))
    size = min(chance.choice([1, 2, 4, 16, 100, 1000]), len(content) - at)
    match chance.randrange(7):
        case 0:
            content[at : at + 1] = bytes([chance.randrange(256)])
        case 1:
            extreme = chance.choice(EXTREMES)
            content[at : at + len(extreme)] = extreme
        case 2:
            del content[at : at + size]
        case 3:
            content[at:at] = content[at : at + size] * chance.choice([1, 1, 10, 100])
        case 4:
            content[at:at] = chance.randbytes(size)
        case 5:
            other = chance.choice(seeds)
            start = chance.randrange(len(other))
            content[at : at + size] = other[start : start + size]
        case _ if chance.random() < 0.2:
            del content[at:]


def requests(pictures: range, videos: range) -> Iterator[tuple[str, int, str, bytes, str]]:
    """Kind and number of each mutation, where it is sent, and its content with a media type."""
    seeds, clips = picture_seeds(), video_seeds()
    for number in pictures:
        yield "picture", number, PREDICT, mutated(seeds, number)[1], ANY
    contents = [content for content, _ in clips]
    for number in videos:
        place, content = mutated(contents, number)
        yield "video", number, VIDEO, content, clips[place][1]


def send(address: str, todo: Iterator, lock: threading.Lock, statuses: Counter, wrong: list) -> None:
    with httpx.Client(timeout=HANG) as client:
        while True:
            with lock:
                one = next(todo, None)
            if one is None:
                return
            kind, number, path, content, media_type = one
            started = time.monotonic()
            try:
                answer = client.post(f"{address}{path}", content=content, headers={"content-type": media_type})
                status = answer.status_code
            except httpx.HTTPError as error:
                status = type(error).__name__
            seconds = time.monotonic() - started
            with lock:
                statuses[kind, status] += 1
                if status not in {200, 413, 415, 422, 429, 503}:
                    wrong.append((kind, number, status))
                if seconds > 10:
                    print(f"{kind} {number}: {status} after {seconds:.1f} s", flush=True)
                if statuses.total() % 500 == 0:
                    print(f"{statuses.total()}: {dict(statuses)}", flush=True)


def main() -> None:
    from service import resident_megabytes, service

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--videos", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="Number of the first mutation.")
    options = parser.parse_args()
    first, statuses, wrong = options.first, Counter(), []
    todo = requests(range(first, first + options.pictures), range(first, first + options.videos))
    room = ("--max-videos", "4", "--max-videos-per-client", "4", "--memory", "4096", "--picture-seconds", "20")
    with service(*room) as (pid, host):
        address, lock = f"http://{host}", threading.Lock()
        before = resident_megabytes(pid)
        threads = [threading.Thread(target=send, args=(address, todo, lock, statuses, wrong)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ready = httpx.get(f"{address}/readyz", timeout=HANG).status_code
        ended = [line for line in httpx.get(f"{address}/metrics").text.splitlines() if "workers_ended_total{" in line]
        after = resident_megabytes(pid)
    print(f"{statuses.total()} mutations: {dict(statuses)}; wrong: {wrong}; /readyz {ready}; {ended}")
    print(f"memory of the service itself {before:.0f} -> {after:.0f} MB")


if __name__ == "__main__":
    main()
