import re

import numpy as np
import pytest

from mien.chart_style import ChartStyle
from mien.data.charts import draw_counts, draw_mean_faces, draw_statistics, draw_tones, draw_variants, tiled
from mien.data.statistics import statistics
from mien.data.store import FaceStore, StoreMeta


@pytest.fixture(scope="module")
def found():
    random = np.random.default_rng(1)
    labels, usages = np.repeat(np.arange(6), 20).astype(np.uint8), (np.arange(120) % 3).astype(np.uint8)
    faces = random.integers(0, 256, (120, 48, 48), np.uint8)
    return statistics(FaceStore(faces, labels, usages, StoreMeta(120, "a $1 set_", "0" * 64)))


def test_bars_are_as_high_as_the_counts(found):
    panels = draw_counts(found).axes
    for axes, (usage, counts) in zip(panels, found.store.counts().items(), strict=True):
        assert axes.get_title(loc="left").startswith(usage)
        assert [bar.get_height() for bar in axes.patches] == list(counts.values())


def store_with(classes, each=4):
    labels = (np.arange(each * len(classes)) % len(classes)).astype(np.uint8)
    faces = np.random.default_rng(0).integers(0, 256, (len(labels), 16, 16), np.uint8)
    return FaceStore(faces, labels, np.zeros_like(labels), StoreMeta(len(labels), "own", "0" * 64, 2, classes))


def test_names_of_any_kind_are_written_as_they_are():
    """Dollars are no formula, and names that are long or many stand beside bars that lie."""
    names = ("$x$ and $y", "_under", "a name of very many words that needs two lines", *map(str, range(9)))
    (axes,) = draw_counts(statistics(store_with(names))).axes
    written = axes.get_yticklabels()
    assert [text.get_text().replace("\n", " ") for text in written] == list(names)
    assert not any(text.get_parse_math() for text in written)
    assert [bar.get_width() for bar in axes.patches] == [4] * len(names)


def test_mean_faces_of_many_classes_stand_in_lines():
    figure = draw_mean_faces(statistics(store_with(tuple(f"class {number}" for number in range(20)))))
    assert [axes.get_title() for axes in figure.axes[:20]] == [f"class {number}" for number in range(20)]
    assert len({axes.get_subplotspec().rowspan.start for axes in figure.axes}) == 3


def test_shares_of_a_usage_sum_to_one(found):
    axes = draw_tones(found).axes[0]
    assert [patch.get_data().values.sum() for patch in axes.patches] == pytest.approx([1, 1, 1])


def test_tiles_lie_line_by_line():
    faces = np.arange(5, dtype=np.uint8)[:, None, None].repeat(3, 1).repeat(4, 2)
    sheet = tiled(faces, 2)
    assert sheet.shape == (3 * 3 + 2 * 2, 2 * 4 + 2)
    for number in range(5):
        top, left = 5 * (number // 2), 6 * (number % 2)
        assert (sheet[top : top + 3, left : left + 4] == number).all()
    assert (sheet[10:, 6:] == 255).all()
    assert (sheet[3:5] == 255).all()
    assert (sheet[:, 4:6] == 255).all()


def test_variants_stand_beside_the_face(found):
    figure = draw_variants(found.store.faces[0], found.store.faces[:16], "title")
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(shown[0], found.store.faces[0])
    np.testing.assert_array_equal(shown[1], tiled(found.store.faces[:16], 4))


def test_charts_for_a_paper_are_pdf_files_of_a_columns_width_with_their_fonts(found, tmp_path):
    paths = draw_statistics(found, tmp_path, ChartStyle("pdf", column=True, title=False))
    assert [path.name for path in paths[:3]] == ["counts.pdf", "mean_faces.pdf", "tones.pdf"]
    for path in paths[:3]:
        content = path.read_bytes()
        assert b"/FontFile2" in content
        width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", content)[1])
        assert width == pytest.approx(3.4 * 72)
