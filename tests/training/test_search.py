from dataclasses import replace

import numpy as np
import pytest

from mien.errors import ConfigError
from mien.training.search import better_half, drawn_overrides
from mien.training.sweep import load_sweep

SEARCH = """
seeds = [0, 1]
[search]
recipe = "mien_s"
draws = 6
halvings = 2
set = ["epochs=8"]
[search.values]
"optimizer.learning_rate" = { low = 0.001, high = 1, log = true }
"loss.label_smoothing" = [0.0, 0.1]
"augment.flip" = { low = 0.2, high = 0.4 }
"""


def written(tmp_path, text=SEARCH):
    path = tmp_path / "search.toml"
    path.write_text(text)
    return path


def test_draws_lie_in_their_ranges_evenly_and_are_repeated_by_the_seed(tmp_path):
    search = replace(load_sweep(written(tmp_path)).search, draws=600)
    drawn = drawn_overrides(search)
    rates, smoothings, flips = (
        np.array([float(override.partition("=")[2]) for override in column])
        for column in zip(*drawn.values(), strict=True)
    )
    assert list(drawn)[:2] == ["draw-001", "draw-002"]
    thirds = np.histogram(np.log10(rates), [-3, -2, -1, 0])[0]  # multinomial: a third each, sd 11.5
    assert thirds.sum() == 600
    assert abs(thirds - 200).max() < 46
    assert set(smoothings) == {0.0, 0.1}
    assert 0.2 <= flips.min() < 0.21
    assert 0.39 < flips.max() <= 0.4
    assert drawn_overrides(search) == drawn


def test_rungs_double_the_epochs_and_the_last_lies_where_a_sweep_would(tmp_path):
    sweep = load_sweep(written(tmp_path))
    assert len(sweep.runs) == 12
    first = sweep.runs[0]
    assert (str(first.folder), first.config.epochs, first.config.seed) == ("rung-1/draw-1/seed-0", 2, 0)
    drawn = drawn_overrides(sweep.search)
    last = sweep.rung(2, {"draw-4": drawn["draw-4"]})
    assert [(str(run.folder), run.config.epochs) for run in last] == [("draw-4/seed-0", 8), ("draw-4/seed-1", 8)]
    assert f"optimizer.learning_rate={last[0].config.optimizer.learning_rate:.4g}" in drawn["draw-4"]


def test_the_better_half_goes_on():
    assert better_half({"a": 0.1, "b": 0.5, "c": 0.4, "d": 0.4, "e": 0.2}) == ["b", "c", "d"]
    assert better_half({"a": 0.3, "b": 0.3}) == ["a"]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("low = 0.001", "low = 2", "learning_rate goes from 2.0 to 1.0: expected low < high"),
        ("low = 0.001", "low = 0", "expected low < high, above 0 with log"),
        ("[0.0, 0.1]", "0.1", "label_smoothing is 0.1: expected a list of choices"),
        ("halvings = 2", "halvings = 3", "search.halvings is 3: expected at least 0 and at most 2"),
        ("draws = 6", "draws = 1", "search.draws is 1"),
        ('"augment.flip"', '"augment.flap"', "unknown key augment.flap"),
        ("seeds = [0, 1]", "seeds = [0, 1]\n[variants.a]\nrecipe='mien_s'", "search stands beside variants"),
        ('["epochs=8"]', '["epochs=8", "select_on=last"]', "select_on is last, and a search goes by the accuracy"),
        ("high = 0.4", "hgih = 0.4", "unknown key search.values.augment.flip.hgih"),
    ],
)
def test_a_bad_search_is_refused_before_anything_is_trained(tmp_path, before, after, message):
    with pytest.raises(ConfigError, match=message):
        load_sweep(written(tmp_path, SEARCH.replace(before, after)))
