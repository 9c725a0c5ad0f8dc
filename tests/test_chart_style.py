import re

import pytest
from matplotlib.figure import Figure
from PIL import Image

from mien.chart_style import ChartStyle, outside_legend, save_chart, wrapped


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


@pytest.mark.parametrize("column", [False, True])
def test_a_title_that_is_too_wide_has_more_lines_and_all_its_words(tmp_path, column):
    title = "a model with a name of its own on a data set with a name of its own, PublicTest, 3,589 faces, " * 2
    drawn = figure()
    drawn.suptitle(f"{title}\nshort", x=0.02, ha="left")
    save_chart(drawn, tmp_path, "chart", ChartStyle(column=column))
    (text,) = drawn.texts
    assert text.get_window_extent().x1 <= drawn.bbox.x1
    assert text.get_text().split() == [*title.split(), "short"]
    assert text.get_text().splitlines()[-1] == "short"
    assert drawn.get_figheight() > figure().get_figheight() * (0.4 if column else 1)


def test_a_figure_grows_by_its_legend_so_that_its_panels_keep_their_height(tmp_path):
    few, many = figure(), figure()
    line = few.axes[0].get_lines()[0]
    outside_legend(few, ([line], ["one"]), "lower left")
    outside_legend(many, ([line] * 12, [f"name {number}" for number in range(12)]), "lower left")
    heights = []
    for drawn in (few, many):
        save_chart(drawn, tmp_path, "chart", ChartStyle(column=True))
        heights.append(drawn.axes[0].get_position().height * drawn.get_figheight())
    assert heights[1] == pytest.approx(heights[0], rel=0.05)


def test_long_names_have_two_lines_at_most():
    assert wrapped("plain") == "plain"
    assert (
        wrapped("a name that is too long for one line beside an axis", 28)
        == "a name that is too long for\none line beside an axis"
    )
    assert [len(line) <= 28 for line in wrapped("word " * 40).splitlines()] == [True, True]
    assert wrapped("x" * 200, 28) == f"{'x' * 28}\n..."


def test_letters_that_the_font_lacks_are_said_once_and_not_by_matplotlib(tmp_path, recwarn, caplog):
    for _ in range(2):
        drawn = figure()
        drawn.suptitle("表情 a title")
        outside_legend(drawn, (drawn.axes[0].get_lines(), ["高兴"]), "lower left")
        assert save_chart(drawn, tmp_path, "chart").is_file()
    assert [record.getMessage() for record in caplog.records] == [
        f"the font of charts lacks letters, for which they show boxes: {''.join(sorted('表情高兴'))}"
    ]
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
