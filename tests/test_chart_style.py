import re

import pytest
from matplotlib.figure import Figure
from PIL import Image

from mien.chart_style import ChartStyle, outside_legend, save_chart


def figure():
    drawn = Figure(figsize=(7, 5), layout="constrained")
    drawn.suptitle("a title")
    drawn.subplots().plot([0, 1], [0, 1])
    return drawn


def test_fonts_lie_whole_inside_pdf_files(tmp_path):
    content = save_chart(figure(), tmp_path, "chart", ChartStyle("pdf")).read_bytes()
    assert b"/FontFile2" in content  # TrueType, embedded
    assert b"/Type3" not in content
    width, height = map(float, re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content).groups())
    assert (width, height) == (7 * 72, 5 * 72)


def test_svg_files_need_no_font(tmp_path):
    content = save_chart(figure(), tmp_path, "chart", ChartStyle("svg")).read_text()
    assert "<text" not in content
    assert "font-family" not in content


@pytest.mark.parametrize(("column", "expected"), [(False, 1400), (True, 1360)])
def test_a_column_is_3_4_inches_wide(tmp_path, column, expected):
    with Image.open(save_chart(figure(), tmp_path, "chart", ChartStyle(column=column))) as picture:
        assert picture.width == expected


def test_titles_can_be_left_out(tmp_path):
    titled, bare = figure(), figure()
    save_chart(titled, tmp_path, "titled")
    save_chart(bare, tmp_path, "bare", ChartStyle(title=False))
    assert [drawn.texts[0].get_visible() for drawn in (titled, bare)] == [True, False]
    assert bare.axes[0].get_position().height > titled.axes[0].get_position().height


@pytest.mark.parametrize("column", [False, True])
def test_long_names_stay_inside_the_picture(tmp_path, column):
    drawn = Figure(figsize=(9, 5), layout="constrained")
    lines = [drawn.subplots().plot([0, 1], [0, 1])[0]] * 8
    names = [f"variant {number} with a name (3 seeds)" for number in range(8)]
    outside_legend(drawn, (lines, names), "upper left")
    save_chart(drawn, tmp_path, "chart", ChartStyle(column=column))
    (legend,) = drawn.legends
    assert [text.get_text()[:9] for text in legend.get_texts()] == [f"variant {number}" for number in range(8)]
    assert legend.get_window_extent().x1 <= drawn.bbox.x1
