"""Parity fixtures: what Python gives, for the core in TypeScript to give too. ``python fixtures.py FOLDER``.

Pictures are made from the public-domain portrait that comes with mien, and from code. With MIEN_FER2013 the first 60
faces of PublicTest are added; no picture of that data set is kept.
"""

import io
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageEnhance, ImageFilter

import mien
from mien.faces.align import align_face
from mien.faces.detection import Detection
from mien.faces.track import Tracks, advance, assign
from mien.model.onnx_model import softmax
from mien.preprocess import PreprocessSpec, to_gray
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import Smoother
from mien.results import Box, Face, Frame
from mien.web.card import web_card

SAMPLE = Path(mien.__file__).parent / "samples" / "astronaut.jpg"
GREY = (90, 90, 90)


class Folder:
    """Binary files beside one JSON."""

    def __init__(self, path):
        self.path, self.count = path, 0
        path.mkdir(parents=True, exist_ok=True)

    def pixels(self, image):
        """A record of pixels whose levels lie in a file of their own."""
        image = np.ascontiguousarray(image, np.uint8)
        name = f"{self.count}.bin"
        self.count += 1
        (self.path / name).write_bytes(image.tobytes())
        height, width = image.shape[:2]
        return {"file": name, "width": width, "height": height, "channels": 1 if image.ndim == 2 else 3}


def portrait():
    return Image.open(SAMPLE).convert("RGB")


def head():
    """The portrait's head and shoulders, a square."""
    (face,) = mien.recognize(portrait()).faces
    x, y, width, height = face.box
    side = 2 * max(width, height)
    left, top = x + width // 2 - side // 2, max(0, y + height // 2 - side // 2)
    return portrait().crop((left, top, left + side, top + side))


def on_canvas(photo, size, place):
    canvas = Image.new("RGB", size, GREY)
    canvas.paste(photo, place)
    return canvas


def turned(photo, degrees):
    return photo.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=GREY)


def scaled(photo, side):
    return photo.resize((side, side), Image.Resampling.LANCZOS)


def many(photo):
    canvas = Image.new("RGB", (640, 480), GREY)
    for number, side in enumerate((48, 64, 90, 120, 160)):
        canvas.paste(scaled(photo, side), (10 + 120 * number, 40 + 40 * number))
    return canvas


def decoded():
    """Pictures by name, as pixels."""
    whole, face = portrait(), head()
    view = whole.resize((480, 480))
    mirrored = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    made = {"portrait": whole, "portrait at 480": view, "many": many(face), "mirrored": mirrored}
    made |= {f"turned by {degrees}": turned(view, degrees) for degrees in (-40, -25, -10, 10, 25, 40)}
    for side in (40, 48, 64, 100):
        made[f"face of {side // 2} px"] = on_canvas(scaled(face, side), (640, 480), (300, 200))
    made["large"] = on_canvas(scaled(face, 90), (2000, 1500), (900, 700))
    made["wide"] = on_canvas(scaled(face, 300), (1000, 301), (600, 1))
    made["cut by the edge"] = on_canvas(scaled(face, 300), (400, 400), (-110, 60))
    made["soft"] = view.filter(ImageFilter.GaussianBlur(3))
    made["dark"] = ImageEnhance.Brightness(view).enhance(0.3)
    made["pale"] = ImageEnhance.Contrast(view).enhance(0.4)
    made["grey"] = view.convert("L")
    noise = np.random.default_rng(0).normal(0, 12, (480, 480, 3))
    made["noisy"] = Image.fromarray(np.clip(np.asarray(view) + noise, 0, 255).astype(np.uint8))
    made["nobody"] = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8))
    made["tiny"] = Image.new("RGB", (7, 5), GREY)
    return made


def other_profile():
    """An sRGB profile with red and green exchanged: whoever applies it sees it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12):
        if profile[at : at + 4] in (b"rXYZ", b"gXYZ"):
            profile[at : at + 1] = b"g" if profile[at : at + 1] == b"r" else b"r"
    return bytes(profile)


def encoded():
    """Files by name, for browsers to decode."""
    view = portrait().resize((480, 480))
    files = {}

    def save(name, image, form, **options):
        content = io.BytesIO()
        image.save(content, form, **options)
        files[name] = content.getvalue()

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orientation-{orientation}.jpg", view, "JPEG", quality=90, exif=exif)
    save("profile.jpg", view, "JPEG", quality=90, icc_profile=other_profile())
    save("cmyk.jpg", view.convert("CMYK"), "JPEG", quality=90)
    save("progressive.jpg", view, "JPEG", quality=85, progressive=True)
    save("grey.png", view.convert("L"), "PNG")
    clear = view.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(view.size).point(lambda level: 255 - level // 2))
    save("alpha.png", clear, "PNG")
    save("palette.gif", view.convert("P", palette=Image.Palette.ADAPTIVE), "GIF")
    save("lossless.webp", view, "WEBP", lossless=True)
    return files


def faces_of(image, recognizer):
    """Schema of the service, and crops and logits besides."""
    frame = recognizer.recognize(image).frame
    pixels = to_gray(np.asarray(image))
    faces = []
    for face in frame.faces:
        crop = align_face(pixels, face.landmarks)
        logits = recognizer.pipeline.classifier.logits(crop[None])[0].tolist()
        faces.append({**face.to_dict(), "crop": crop.ravel().tolist(), "logits": logits})
    return faces


def resizing(folder):
    photo = np.asarray(portrait())
    cases = []
    for size in ((256, 256), (128, 128), (100, 77), (37, 211), (511, 300), (64, 64)):
        for image in (photo, to_gray(photo)[:, :400]):
            if size[0] <= image.shape[1] and size[1] <= image.shape[0]:
                made = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                cases.append({"kind": "area", "from": folder.pixels(image), "to": folder.pixels(made)})
    small = to_gray(photo)[60:108, 200:248]
    for size in ((64, 64), (100, 96), (48, 44), (224, 224), (49, 49)):
        made = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
        cases.append({"kind": "linear", "from": folder.pixels(small), "to": folder.pixels(made)})
    return cases


SPECS = (
    PreprocessSpec(),
    PreprocessSpec(frame_size=64, input_size=60, mean=0.4, std=0.2),
    PreprocessSpec(frame_size=32, input_size=32, mean=0.0, std=1.0),
    PreprocessSpec(frame_size=42, input_size=40, equalize="histogram"),
    PreprocessSpec(equalize="clahe"),
    PreprocessSpec(frame_size=50, input_size=44, equalize="clahe", blur=True),
    PreprocessSpec(blur=True),
    PreprocessSpec(frame_size=64, input_size=64, channels=3, face_size=96),
)


def preprocessing(folder):
    photo = np.asarray(portrait())
    flat = np.full((48, 48), 77, np.uint8)
    crops = [photo[60:108, 200:248], photo[:96, 150:246], to_gray(photo)[100:148, 180:228], flat]
    cases = []
    for spec in SPECS:
        for crop in crops:
            made = spec.apply(crop[None]).ravel().tolist()
            cases.append({"spec": spec.to_dict(), "face": folder.pixels(crop), "input": made})
    return cases


def tracking():
    """Faces that cross, vanish and come back, with noise."""
    draw = np.random.default_rng(3)
    tracks, frames = Tracks(), []
    for number in range(60):
        time = number / 20
        places = [(10 + 9 * number, 50 + number), (500 - 8 * number, 70), (200, 20 + 5 * number), (380, 300)]
        seen = [place for index, place in enumerate(places) if (number // 7 + index) % 5]
        found = []
        for x, y in seen:
            dx, dy, width, height, score = draw.normal((0, 0, 60, 60, 0.62), (2, 2, 2, 2, 0.12))
            found.append(Detection((x + dx, y + dy, width, height), float(np.clip(score, 0.41, 1))))
        tracks, owners = advance(tracks, time, found, 0.6)
        told = [{"box": face.box, "score": face.score, "landmarks": []} for face in found]
        frames.append({"time": time, "found": told, "owners": owners})
    return frames


def assignments():
    draw = np.random.default_rng(4)
    shapes = ((1, 1), (3, 3), (2, 5), (6, 4), (9, 9))
    costs = [draw.normal(size=shape) for shape in shapes for _ in range(4)]
    return [{"cost": cost.tolist(), "total": float(sum(cost[pair] for pair in assign(cost)))} for cost in costs]


def smoothing():
    labels = ("happy", "sad", "neutral")
    draw = np.random.default_rng(5)
    cases = {}
    for name in ("none", "mode", "ema"):
        smoother, frames = Smoother(name), []
        for number in range(40):
            shares = softmax(draw.normal(0, 1, 3)).tolist()
            face = Face(Box(0, 0, 9, 9), 0.9, dict(zip(labels, shares, strict=True)), track=1 + number % 2)
            time = number * 0.07 + (6 if number > 30 else 0)
            steady = smoother.smooth(Frame("s", number, time, 9, 9, (face,))).faces[0]
            frames.append({"time": time, "track": face.track, "shares": shares, "steady": steady.to_dict()})
        cases[name] = {"labels": labels, "frames": frames}
    return cases


def fer_faces(folder, bundle):
    """The first 60 faces of PublicTest, with logits and probabilities."""
    csv = os.environ.get("MIEN_FER2013")
    if not csv:
        return None
    faces = []
    with Path(csv).open() as rows:
        for row in rows:
            if row.rstrip().endswith("PublicTest"):
                faces.append(np.array(row.split(",")[1].split(), np.uint8).reshape(48, 48))
            if len(faces) == 60:
                break
    stack = np.stack(faces)
    logits = bundle.logits(stack)
    return {
        "faces": folder.pixels(stack.reshape(-1, 48)),
        "logits": logits.tolist(),
        "probabilities": softmax(logits / bundle.card.temperature).tolist(),
    }


def stream(folder, recognizer):
    """A head that moves; Python's frames of it."""
    photo = scaled(head(), 200)
    images = [on_canvas(photo, (480, 360), (20 + 12 * number, 60 + 3 * number)) for number in range(16)]

    class Clip:
        name, live = "clip", False

        def images(self):
            from mien.media.video_source import VideoImage

            for number, image in enumerate(images):
                yield VideoImage(number, number / 10, np.asarray(image))

        def close(self):
            """Nothing is open."""

    frames = [frame.to_dict() for frame in recognizer.stream(Clip())]
    both = zip(images, frames, strict=True)
    return [{"image": folder.pixels(np.asarray(image)), "frame": frame} for image, frame in both]


def main(target):
    folder = Folder(Path(target))
    recognizer = Recognizer(threads=1)
    bundle = recognizer.pipeline.classifier
    (folder.path / "model.onnx").write_bytes(bundle.content)
    from mien.faces.yunet_network import yunet_weights

    (folder.path / "yunet.onnx").write_bytes(yunet_weights())
    files = encoded()
    for name, content in files.items():
        (folder.path / name).write_bytes(content)
    told = {
        "card": web_card(bundle),
        "resizing": resizing(folder),
        "preprocessing": preprocessing(folder),
        "tracking": tracking(),
        "assignments": assignments(),
        "smoothing": smoothing(),
        "pictures": {
            name: {"image": folder.pixels(np.asarray(image)), "faces": faces_of(image, recognizer)}
            for name, image in decoded().items()
        },
        "files": {name: recognizer.recognize(content).frame.to_dict() for name, content in files.items()},
        "stream": stream(folder, recognizer),
        "fer": fer_faces(folder, bundle),
    }
    (folder.path / "fixtures.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
