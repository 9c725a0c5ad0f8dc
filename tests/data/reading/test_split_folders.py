import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from mien.data.reading.class_maps import class_map
from mien.data.reading.importing import faces_by_class
from mien.data.reading.layouts import find_pictures
from mien.data.reading.pictures import read_pictures
from mien.data.rows import no_progress
from mien.errors import DataError
from mien.labels import EMOTIONS


def read_folder(folder, progress=no_progress):
    return read_pictures(folder, find_pictures(folder, "splits").pictures, progress)


def random_face(seed, shape=(48, 48)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(folder, name, array, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def test_reads_usages_emotions_and_pixels(tmp_path):
    in_order = {
        "test/sad/b.png": (2, 4),
        "train/Happiness/1.png": (0, 3),
        "train/anger/3.png": (0, 0),
        "train/happy/2.PNG": (0, 3),
        "validation/neutral/4.png": (1, 6),
    }
    for seed, name in reversed(list(enumerate(in_order))):
        save(tmp_path, name, random_face(seed))
    faces, labels, usages = read_folder(tmp_path)[0].arrays()
    assert list(zip(usages.tolist(), labels.tolist(), strict=True)) == list(in_order.values())
    np.testing.assert_array_equal(faces, [random_face(seed) for seed in range(len(in_order))])


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        *(("train", 0), ("Training", 0)),
        *(("val", 1), ("valid", 1), ("validation", 1), ("PublicTest", 1)),
        *(("test", 2), ("PrivateTest", 2)),
    ],
)
def test_the_first_level_says_the_usage(tmp_path, name, usage):
    save(tmp_path, f"{name}/fear/a.png", random_face(0))
    assert read_folder(tmp_path)[0].usages == bytes([usage])


def test_every_emotion_is_known_by_name_and_number(tmp_path):
    for number, emotion in enumerate(EMOTIONS):
        save(tmp_path, f"train/{emotion}/a.png", random_face(number))
        save(tmp_path, f"test/{number}/a.png", random_face(number))
    labels = read_folder(tmp_path)[0].arrays()[1]
    np.testing.assert_array_equal(np.bincount(labels), [2] * 7)


def test_reads_jpeg_as_pillow_does(tmp_path):
    smooth = np.add.outer(np.arange(48), np.arange(48)).astype(np.uint8) * 2
    paths = [save(tmp_path, f"train/sad/{name}", smooth, quality=90) for name in ("a.jpeg", "b.jpg")]
    faces = read_folder(tmp_path)[0].arrays()[0]
    np.testing.assert_array_equal(faces, [np.asarray(Image.open(path)) for path in paths])


def test_other_sizes_become_48_with_their_aspect_ratio(tmp_path):
    face = random_face(1, (96, 192))
    save(tmp_path, "train/sad/a.png", face)
    found = read_folder(tmp_path)[0].arrays()[0][0]
    np.testing.assert_allclose(found[12:36], np.asarray(Image.fromarray(face).reduce(4)), atol=1)
    np.testing.assert_array_equal(found[:12], found[12:13].repeat(12, axis=0))
    np.testing.assert_array_equal(found[36:], found[35:36].repeat(12, axis=0))


def test_colour_opaque_alpha_palette_and_16_bit_become_grey(tmp_path):
    grey = random_face(2)
    colour = np.stack([grey] * 3, -1)
    save(tmp_path, "train/sad/a.png", colour)
    save(tmp_path, "train/sad/b.png", np.dstack([colour, np.full_like(grey, 255)]))
    save(tmp_path, "train/sad/c.png", grey.astype(np.uint16) * 257)
    palette = Image.fromarray(grey)
    palette.putpalette([level for level in range(256) for _ in range(3)])
    palette.save(tmp_path / "train/sad/d.png")
    np.testing.assert_array_equal(read_folder(tmp_path)[0].arrays()[0], [grey] * 4)


def test_exif_orientation_is_honoured(tmp_path):
    top_bright = np.repeat(np.array([255, 0], np.uint8), 24)[:, None].repeat(48, 1)
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    save(tmp_path, "train/sad/a.jpg", top_bright, exif=exif)
    face = read_folder(tmp_path)[0].arrays()[0][0]
    assert face[40:].mean() > 200
    assert face[:8].mean() < 50


def test_the_hash_is_that_of_names_sizes_and_contents(tmp_path):
    first = save(tmp_path, "test/sad/a.png", random_face(0)).read_bytes()
    second = save(tmp_path, "train/fear/ä.png", random_face(1)).read_bytes()
    names = (b"test/sad/a.png", "train/fear/ä.png".encode())
    whole = b"".join(
        name + b"\0" + str(len(content)).encode() + b"\0" + content
        for name, content in zip(names, (first, second), strict=True)
    )
    assert read_folder(tmp_path)[1] == hashlib.sha256(whole).hexdigest()


def test_hidden_files_litter_and_notes_beside_the_parts_are_ignored(tmp_path):
    save(tmp_path, "train/sad/a.png", random_face(0))
    for name in (".DS_Store", "README.md", "train/.hidden", "train/sad/Thumbs.db", "train/sad/._a.png"):
        (tmp_path / name).write_bytes(b"x")
    assert len(read_folder(tmp_path)[0]) == 1


def test_progress_ends_at_one(tmp_path):
    for number in range(4):
        save(tmp_path, f"train/sad/{number}.png", random_face(number))
    told = []
    read_folder(tmp_path, told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_unknown_folders_are_listed(tmp_path):
    save(tmp_path, "train/sad/a.png", random_face(0))
    save(tmp_path, "train/a.png", random_face(0))
    with pytest.raises(DataError, match=r"train: 'a\.png' in it: expected a folder for each class"):
        read_folder(tmp_path)
    (tmp_path / "train" / "a.png").unlink()
    save(tmp_path, "images/sad/a.png", random_face(0))
    with pytest.raises(DataError, match=r"unknown folders 'images' in it: expected train\|"):
        read_folder(tmp_path)


@pytest.mark.parametrize("layout", ["", "train", "train/sad"])
def test_a_folder_without_pictures_is_refused(tmp_path, layout):
    (tmp_path / layout).mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataError, match=r"expected train\|validation\|test"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "clip.gif", "noextension"])
def test_other_files_among_the_pictures_are_named(tmp_path, name):
    save(tmp_path, "train/sad/a.png", random_face(0))
    (tmp_path / "train/sad" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=rf"sad: '{name}' in it: expected only \.jpg"):
        read_folder(tmp_path)


def test_many_unknown_names_are_counted_not_all_listed(tmp_path):
    for number in range(9):
        save(tmp_path, f"train/person{number}.png", random_face(0))
    with pytest.raises(DataError, match=r"'person4.png' and 4 more in it"):
        read_folder(tmp_path)


def encoded(array, kind):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "an empty file"),
        (b"not a picture", "not a picture"),
        (encoded(random_face(0), "GIF"), "not a picture .none of .*JPEG.*, PNG"),
        (encoded(random_face(0), "PNG")[:1000], "truncated"),
        (encoded(random_face(0), "JPEG")[:1200], "truncated"),
    ],
    ids=["empty", "text", "gif", "cut png", "cut jpeg"],
)
def test_a_broken_picture_is_named(tmp_path, content, problem):
    save(tmp_path, "train/sad/a.png", random_face(0))
    (tmp_path / "train/sad/b.png").write_bytes(content)
    with pytest.raises(
        DataError, match=rf"1 picture cannot be read; replace or remove .*b\.png: .*{problem}"
    ) as caught:
        read_folder(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [10_100, 20_000])
def test_a_decompression_bomb_is_refused(tmp_path, side):
    path = tmp_path / "train/sad/bomb.png"
    path.parent.mkdir(parents=True)
    Image.new("1", (side, side)).save(path)
    with pytest.raises(DataError, match=r"bomb\.png: .*more than 100 megapixels"):
        read_folder(tmp_path)


def test_a_folder_per_class_is_read_without_usages(tmp_path):
    in_order = {"Anger/b.png": 0, "Surprise/a.tiff": 5, "happy/c.png": 3}
    for seed, name in enumerate(in_order):
        save(tmp_path, name, random_face(seed))
    save(tmp_path, "contempt/d.png", random_face(9))
    save(tmp_path, "contempt/e.png", random_face(9))
    (tmp_path / "LICENCE.txt").write_text("x")
    store, skipped = faces_by_class(tmp_path, class_map(["contempt=skip"]))
    assert store.labels.tolist() == list(in_order.values())
    assert set(store.usages.tolist()) == {2}
    assert skipped == {"contempt": 2}
    np.testing.assert_array_equal(store.faces, [random_face(seed) for seed in range(3)])
    contents = [(name, (tmp_path / name).read_bytes()) for name in in_order]
    whole = b"".join(name.encode() + b"\0%d\0" % len(content) + content for name, content in contents)
    assert store.meta.source_sha256 == hashlib.sha256(whole).hexdigest()


def test_unknown_classes_are_all_named_with_the_way_out(tmp_path):
    for name in ("bored", "sad", "7", "8"):
        save(tmp_path, f"{name}/a.png", random_face(0))
    with pytest.raises(DataError, match=r"unknown classes '7', '8': .* --map 7=CLASS or --map 7=skip"):
        faces_by_class(tmp_path, {})


def test_folders_that_are_no_emotions_are_classes_of_their_own(tmp_path):
    for name in ("bored", "高兴", "sad"):
        save(tmp_path, f"{name}/a.png", random_face(0))
    store, _ = faces_by_class(tmp_path, {})
    assert (store.classes, store.labels.tolist()) == (("bored", "sad", "高兴"), [0, 1, 2])
    (tmp_path / "blank").mkdir()
    with pytest.raises(DataError, match="no pictures in 'blank': expected some of each class"):
        faces_by_class(tmp_path, {})


def test_numbered_classes_need_a_map(tmp_path):
    save(tmp_path, "1/a.png", random_face(0))
    with pytest.raises(DataError, match="unknown classes '1'"):
        faces_by_class(tmp_path, {})
    (picture,) = find_pictures(tmp_path, "classes", class_map(["raf-db"]), "Training").pictures
    assert (picture.label, picture.usage) == (EMOTIONS.index("surprise"), 0)


def test_parts_of_a_data_set_are_not_classes(tmp_path):
    save(tmp_path, "test/sad/a.png", random_face(0))
    save(tmp_path, "train/sad/a.png", random_face(0))
    with pytest.raises(DataError, match=r"'test', 'train' in it, not classes; name one of them, such as .*test$"):
        faces_by_class(tmp_path, {})


def test_a_folder_without_pictures_of_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="no pictures to read: expected <class>/"):
        faces_by_class(tmp_path, {})
    save(tmp_path, "contempt/a.png", random_face(0))
    with pytest.raises(DataError, match="no pictures to read"):
        faces_by_class(tmp_path, class_map(["ck+48"]))
