import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from mien.chart_style import wrapped
from mien.errors import DataError, UsageError
from mien.evaluation.comparison import Run, Variant, difference, variants_of
from mien.evaluation.comparison_charts import draw_accuracies, draw_curves
from mien.evaluation.comparison_rows import summary
from mien.evaluation.contenders import read_runs
from mien.evaluation.metrics import wilson_interval
from mien.evaluation.significance import mcnemar

LABELS = np.arange(400) % 7


def run_of(name, correct, seed=0, history=()):
    predictions = np.where(correct, LABELS[: len(correct)], (LABELS[: len(correct)] + 1) % 7)
    return Run(name, seed, tuple(history), LABELS[: len(correct)], predictions)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300))
def test_mcnemar_is_scipys_binomial_test(pairs):
    first, second = np.array(pairs).T
    only = int((first & ~second).sum()), int((second & ~first).sum())
    expected = stats.binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


def test_the_interval_is_scipys_paired_bootstrap():
    random = np.random.default_rng(0)
    one, other = random.random(400) < 0.7, random.random(400) < 0.6
    found = difference(Variant("a", (run_of("a", one),)), Variant("b", (run_of("b", other),)))
    gains = one.astype(float) - other
    expected = stats.bootstrap(
        (gains,), np.mean, n_resamples=9999, method="percentile", random_state=random
    ).confidence_interval
    assert found.share == pytest.approx(gains.mean())
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.006)


def test_a_difference_of_nothing_is_nothing():
    same = run_of("a", np.arange(400) % 3 > 0)
    found = difference(Variant("a", (same,)), Variant("b", (same,)))
    assert (found.share, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_seeds_are_grouped_and_their_spread_stated():
    runs = [run_of("plain", np.arange(400) < hits, seed) for seed, hits in enumerate([200, 220, 240])]
    plain, other = summary(variants_of([*runs, run_of("other", np.arange(400) < 260)]))
    assert plain["accuracy"] == pytest.approx(0.55)
    assert plain["deviation"] == pytest.approx(np.std([0.5, 0.55, 0.6], ddof=1))
    assert plain["seeds"] == [0, 1, 2]
    assert "difference" not in plain
    assert other["difference"] == pytest.approx(0.1)
    assert other["interval"][0] < 0.1 < other["interval"][1]
    assert (other["p_value"], other["deviation"]) == (None, None)


def test_seeds_widen_the_interval_as_behrens_and_fisher_have_it():
    """Runs that differ from seed to seed on all faces alike leave hardly any uncertainty but that of the seeds."""
    random = np.random.default_rng(1)
    faces = 200_000

    def variant(name, shares):
        shuffled = random.permutation(faces)
        return Variant(name, tuple(seeded(name, shuffled, share, seed) for seed, share in enumerate(shares)))

    def seeded(name, shuffled, share, seed):
        labels = np.zeros(faces, np.intp)
        return Run(name, seed, (), labels, np.where(shuffled < share * faces, 0, 1))

    one, other = [0.50, 0.52, 0.56, 0.53], [0.48, 0.49, 0.47, 0.50]
    found = difference(variant("a", one), variant("b", other))
    errors = [np.std(shares, ddof=1) / 2 for shares in (one, other)]

    def below(x):
        """Chance that the difference of two scaled t variates is at most x, by integration."""
        return integrate.quad(lambda t: stats.t.pdf(t, 3) * stats.t.cdf((x + errors[1] * t) / errors[0], 3), -80, 80)[0]

    half = optimize.brentq(lambda x: below(x) - 0.975, 0, 1)
    gain = np.mean(one) - np.mean(other)
    assert found.over == "faces and seeds"
    assert found.share == pytest.approx(gain, abs=1e-4)
    assert (found.low, found.high) == pytest.approx((gain - half, gain + half), abs=0.002)


def test_the_interval_covers_other_seeds_and_faces_as_often_as_it_says():
    """200 studies of three seeds over drawn networks whose true difference is nothing."""
    random = np.random.default_rng(3)
    covered = 0
    for study in range(200):
        difficulty = random.normal(0, 1, 300)

        def variant(name, difficulty=difficulty):
            skills = random.normal(0.5, 0.15, 3)
            correct = [skill + random.normal(0, 0.5, 300) > difficulty for skill in skills]
            runs = (Run(name, seed, (), np.zeros(300, np.intp), np.where(c, 0, 1)) for seed, c in enumerate(correct))
            return Variant(name, tuple(runs))

        found = difference(variant("a"), variant("b"), draws=1000, seed=study)
        covered += found.low <= 0 <= found.high
    assert covered >= 184  # binomial: fewer of 200 at 95 % have a chance of 1 in 50


def test_one_seed_on_a_side_leaves_the_interval_to_the_faces():
    runs = [run_of("plain", np.arange(400) < hits, seed) for seed, hits in enumerate([200, 220, 240])]
    found = difference(Variant("a", tuple(runs)), Variant("b", (run_of("b", np.arange(400) < 210),)))
    assert found.over == "faces"


def test_seeds_that_tie_give_no_p_value_of_seeds():
    """Two seeds of 8 of 12 right against two of 9: no spread over seeds, so p = 0 would be made of nothing."""
    faces = np.arange(12)
    runs = [run_of(name, faces < hits, seed) for name, hits in (("a", 8), ("b", 9)) for seed in (0, 1)]
    _, row = summary(variants_of(runs))
    assert row["difference"] == pytest.approx(1 / 12)
    assert (row["paired_seeds"], row["p_value"], row["p_holm"]) == (None, None, None)


def test_curves_of_runs_that_ended_early_are_padded():
    long, short = [{"loss": 2.0}, {"loss": 1.0}], [{"loss": 4.0}]
    correct = np.ones(7, bool)
    variant = Variant("v", (run_of("v", correct, 0, long), run_of("v", correct, 1, short)))
    np.testing.assert_array_equal(variant.curve("loss"), [[2, 1], [4, np.nan]])
    assert np.isnan(variant.curve("accuracy")).all()


def write_run(folder, seed=0, labels=(0, 1, 2), predictions=(0, 1, 3)):
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f"network = 'mien_s'\nseed = {seed}\n")
    (folder / "log.jsonl").write_text('{"epoch": 0, "loss": 1.5}\n')
    (folder / "public_test.json").write_text(json.dumps({"labels": labels, "predictions": predictions}))
    return folder


def read_run(path, usage=None):
    (run,) = read_runs([path], usage)
    return run


def test_a_run_is_read_and_named(tmp_path):
    run = read_run(write_run(tmp_path / "plain"))
    assert (run.name, run.seed, run.accuracy, run.history) == ("plain", 0, 2 / 3, ({"epoch": 1, "loss": 1.5},))
    assert read_run(write_run(tmp_path / "cosine" / "seed-4", seed=4)).name == "cosine"


@pytest.mark.parametrize("name", ["config.toml", "log.jsonl", "public_test.json"])
def test_an_unusable_run_is_named(tmp_path, name):
    folder = write_run(tmp_path / "run")
    (folder / name).write_text("{")
    with pytest.raises(DataError, match=f"{folder}: damaged run"):
        read_run(folder)
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{folder}: no {name}"):
        read_run(folder)


def test_a_run_without_a_finished_epoch_or_with_too_few_answers_is_refused(tmp_path):
    begun = write_run(tmp_path / "begun")
    (begun / "log.jsonl").write_text("")
    with pytest.raises(DataError, match=f"{begun}: no epoch in log.jsonl; go on with `mien train --resume`"):
        read_run(begun)
    for folder, labels, predictions in (("short", (0, 1, 2), (0, 1)), ("none", (), ())):
        with pytest.raises(DataError, match=f"{len(labels)} labels and {len(predictions)} predictions"):
            read_run(write_run(tmp_path / folder, labels=labels, predictions=predictions))


def test_a_run_is_named_by_its_folder_however_it_is_reached(tmp_path, monkeypatch):
    run = write_run(tmp_path / "cosine" / "seed-0")
    monkeypatch.chdir(run)
    assert read_run(".").name == "cosine"
    monkeypatch.chdir(run.parent)
    assert read_run("seed-0").name == "cosine"


def test_runs_of_one_name_that_differ_in_more_than_the_seed_are_no_variant(tmp_path):
    one, other = (write_run(tmp_path / str(place) / "cosine" / f"seed-{place}", seed=place) for place in range(2))
    assert [len(variant.runs) for variant in variants_of(map(read_run, (one, other)))] == [2]
    with (one / "config.toml").open("a") as config:
        config.write("young = 1\n[optimizer]\nlearning_rate = 0.1\n")
    assert len(variants_of(map(read_run, (one, other)))) == 1
    with (other / "config.toml").open("a") as config:
        config.write("[optimizer]\nlearning_rate = 0.2\n")
    with pytest.raises(UsageError, match=r"runs named cosine differ in optimizer\.learning_rate, not in their seed"):
        variants_of(map(read_run, (one, other)))


def test_what_cannot_be_compared_is_refused(tmp_path):
    here = read_run(write_run(tmp_path / "here"))
    there = read_run(write_run(tmp_path / "there", labels=(0, 1, 5)))
    with pytest.raises(UsageError, match="here and there were judged on different faces"):
        variants_of([here, there])
    with pytest.raises(UsageError, match="share a seed"):
        variants_of([here, here])
    with pytest.raises(UsageError, match="expected at least one"):
        variants_of([])


def held_out(folder, rows, labels=(0, 1, 2), predictions=(0, 1, 3), source="ab"):
    answers = {"labels": labels, "predictions": predictions, "rows": rows, "source_sha256": source}
    (folder / "held_out.json").write_text(json.dumps(answers))
    return folder


def test_runs_without_public_test_are_compared_on_the_rows_that_all_held_out(tmp_path):
    both = held_out(write_run(tmp_path / "both"), [4, 5, 9])
    only = held_out(write_run(tmp_path / "only"), [4, 5, 9], predictions=(0, 1, 2))
    (only / "public_test.json").unlink()
    runs = read_runs([both, only])
    assert [(run.usage, run.accuracy) for run in runs] == [("held-out", 2 / 3), ("held-out", 1.0)]
    rows = summary(variants_of(runs))
    assert [(row["usage"], row["n"]) for row in rows] == [("held-out", 3)] * 2
    assert read_run(both).usage == "PublicTest"
    assert read_run(both, "held-out").usage == "held-out"


def test_runs_that_held_out_other_rows_or_have_none_in_common_are_refused(tmp_path):
    one = held_out(write_run(tmp_path / "one"), [4, 5, 9])
    for name, rows, source in (("rows", [4, 5, 8], "ab"), ("source", [4, 5, 9], "cd")):
        other = held_out(write_run(tmp_path / name), rows, source=source)
        with pytest.raises(UsageError, match=f"one and {name} were judged on different faces"):
            variants_of(read_runs([one, other], "held-out"))
    bare = write_run(tmp_path / "bare")
    with pytest.raises(UsageError, match="bare: has no answers to held-out; expected one of PublicTest"):
        read_runs([one, bare], "held-out")
    (one / "public_test.json").unlink()
    with pytest.raises(UsageError, match=r"no rows in common .*one: held-out; .*bare: PublicTest"):
        read_runs([one, bare])


def test_the_chart_of_accuracies_has_intervals_over_groups_where_there_are_some():
    right = np.repeat(np.arange(100) < 70, 4)  # 100 groups of four faces that are answered alike
    run = replace(run_of("a", right), groups=np.repeat(np.arange(100).astype(str), 4), source="own")
    figure = draw_accuracies([Variant("a", (run,))])
    drawn = figure.axes[0].get_lines()[0].get_xdata()
    assert drawn == pytest.approx([100 * end for end in wilson_interval(0.7, 99, stats.t.ppf(0.975, 99))])
    assert "95 % over groups" in figure.get_supxlabel()
    alone = draw_accuracies([Variant("a", (run,)), Variant("b", (run_of("b", right),))])
    assert "95 % over faces" in alone.get_supxlabel()
    assert alone.axes[0].get_lines()[0].get_xdata() == pytest.approx([100 * e for e in wilson_interval(0.7, 400)])


def test_every_run_with_curves_is_in_the_legend_whatever_it_is_called():
    names = ["_hidden", *(f"a long name {'of words ' * 9}{number}" for number in range(2))]
    runs = [run_of(name, LABELS < 4, history=[{"epoch": 1, "loss": 1.0, "learning_rate": 0.1}]) for name in names]
    (legend,) = draw_curves([Variant(run.name, (run,)) for run in runs]).legends
    assert [text.get_text() for text in legend.get_texts()] == [wrapped(name) for name in names]
