"""Lists of trainings: what is read, what is refused and how it is said; and what becomes of their entries."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from training_queue.home import Outcome, QueueError
from training_queue.listing import fill, load_list, parse_list
from training_queue.next_training import next_training, states

from mien.errors import ConfigError
from mien.training.recipe import load_config
from training_queue import commands

COMMIT = "0123456789" * 4
TOP = f'commit = "{COMMIT}"\ndata = "faces"\n[data_sets.faces]\ncsv = "CSV"\nferplus = "VOTES"\n'
LIST = f"""
{TOP}
[[trainings]]
name = "teacher"
recipe = "mien_m"

[[trainings]]
name = "pupil"
recipe = "recipes/own.toml"
drop_rows = "DROP"
commit = "{COMMIT[::-1]}"
set = ['loss.teachers=["{{run:teacher}}"]', "epochs=3"]
after = [["export", "{{run}}", "--out", "{{run}}/model.onnx"], ["evaluate", "{{run:teacher}}", "--data", "{{data}}"]]

[[trainings]]
name = "last"
recipe = "mien_s"
depends = ["pupil"]
"""
OWN_LIST = Path(__file__).parents[2] / "training_queue" / "trainings.toml"


def test_reads_shared_keys_and_finds_what_is_waited_for():
    teacher, pupil, last = parse_list(LIST).trainings
    assert (teacher.commit, pupil.commit) == (COMMIT, COMMIT[::-1])
    assert (teacher.depends, pupil.depends, last.depends) == ((), ("teacher",), ("pupil",))
    assert (teacher.drop_rows, pupil.drop_rows) == ("", "DROP")
    assert {training.data for training in (teacher, pupil, last)} == {"faces"}


def test_an_entry_with_seeds_is_several_trainings():
    listed = parse_list(f'{TOP}[[trainings]]\nname = "a"\nrecipe = "mien_s"\nset = ["epochs=3"]\nseeds = [4, 0]')
    assert [(training.name, training.settings) for training in listed.trainings] == [
        ("a-4", ("epochs=3", "seed=4")),
        ("a-0", ("epochs=3", "seed=0")),
    ]


def test_what_follows_may_be_said_once_for_all():
    listed = parse_list(f'after = [["models"]]\n{LIST}')
    assert [training.after for training in listed.trainings[::2]] == [(("models",),)] * 2
    assert len(listed.trainings[1].after) == 2


def test_variables_are_those_of_the_trainings_asked_for():
    listed = parse_list(LIST)
    assert listed.variables(listed.trainings[:1]) == {"CSV": "teacher", "VOTES": "teacher"}
    assert listed.variables(listed.trainings[1:]) == {"CSV": "pupil", "VOTES": "pupil", "DROP": "pupil"}


def test_commands_are_words_in_folders_that_travel(tmp_path):
    listed = parse_list(LIST)
    _, pupil, _ = listed.trainings
    environ = {"CSV": os.fspath(tmp_path), "VOTES": __file__, "DROP": __file__}
    train = commands.train("PY", pupil, Path("/code"), environ)
    start = ["PY", "-P", "-m", "mien", "train", "--recipe", "/code/recipes/own.toml"]
    assert train[: len(start)] == start
    rest = ["--data", "data/faces", "--run", "runs/pupil", "--drop-rows", __file__]
    rest += ["--set", 'loss.teachers=["runs/teacher"]', "--set", "epochs=3", "--resume"]
    assert train[len(start) :] == rest
    assert "--drop-rows" not in commands.train("PY", pupil, Path("/code"), {**environ, "DROP": ""})
    imported = commands.import_data("PY", "faces", listed.data_sets["faces"], environ)
    assert imported[4:] == ["data", "import", os.fspath(tmp_path), "data/faces", "--ferplus", __file__]
    export, evaluate = commands.after("PY", pupil)
    assert export[4:] == ["export", "runs/pupil", "--out", "runs/pupil/model.onnx"]
    assert evaluate[4:] == ["evaluate", "runs/teacher", "--data", "data/faces"]


def test_nothing_that_a_shell_would_read_is_changed():
    _, pupil, _ = parse_list(LIST).trainings
    for text in ("$(id); `id` | x > y && z", "{ run }", "{a = 1}"):
        assert fill(text, pupil) == text


def test_committed_checkpoints_are_found_in_the_pinned_code():
    _, pupil, _ = parse_list(LIST).trainings
    filled = fill("initial_weights={code}/training_queue/weights/a.safetensors", pupil)
    assert filled == f"initial_weights=worktrees/{pupil.commit[:12]}/training_queue/weights/a.safetensors"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (f'commit = "{COMMIT}"', 'commit = "main"', "teacher.commit is 'main': expected the 40 digits of a commit"),
        (f'commit = "{COMMIT}"\n', "", "teacher has no commit"),
        ('data = "faces"', 'data = "face"', "teacher.data is 'face' (did you mean 'faces'?)"),
        ('csv = "CSV"', 'csv = "/home/me/fer2013.csv"', "data_sets.faces.csv is '/home/me/fer2013.csv': expected the"),
        ('csv = "CSV"\n', "", "data_sets.faces has no csv"),
        ('"{run:teacher}"', '"{run:teecher}"', "depends on a training, which is 'teecher' (did you mean 'teacher'?)"),
        ("{run:teacher}", "{folder}", "pupil: {folder} in"),
        ("{run}/model", "{data:x}/model", "pupil: {data:x} in"),
        ('depends = ["pupil"]', 'depends = ["last"]', "which is 'last'"),
        ('name = "last"', 'name = "pupil"', "pupil: stands in the list twice"),
        ('name = "last"', 'name = "../last"', "trainings.name is '../last'"),
        ('name = "last"', 'nam = "last"', "trainings has no name"),
        ('recipe = "mien_s"', 'recipes = "mien_s"', "unknown key last.recipes (did you mean 'recipe'?)"),
        ('recipe = "mien_s"', "recipe = 3", "last.recipe is 3: expected text"),
        ("set = [", "set = [1, ", "pupil.set is [1, "),
        ('depends = ["pupil"]', "seeds = [true]", "last.seeds is [True]: expected whole numbers"),
        ('depends = ["pupil"]', "seeds = []", "last.seeds is []: expected whole numbers"),
        ('name = "teacher"', 'name = "last-1"\nseeds = [1]', "pupil depends on a training, which is 'teacher'"),
        ("after = [[", "after = ['x', [", "pupil.after is 'x': expected a list of texts"),
    ],
)
def test_mistakes_are_named(old, new, message):
    assert old in LIST
    with pytest.raises(ConfigError) as caught:
        parse_list(LIST.replace(old, new, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_list_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: the list cannot be read"):
        load_list(tmp_path / "none.toml")
    (tmp_path / "list.toml").write_text("[[")
    with pytest.raises(ConfigError, match=r"list\.toml: not a TOML file"):
        load_list(tmp_path / "list.toml")
    (tmp_path / "list.toml").write_text("trainings = 3")
    with pytest.raises(ConfigError, match=r"list\.toml: trainings: expected sections"):
        load_list(tmp_path / "list.toml")


def test_paths_come_from_the_environment():
    with pytest.raises(QueueError, match="CSV is not set: export CSV=FILE;"):
        commands.path_in({"CSV": ""}, "CSV")
    with pytest.raises(QueueError, match="or DROP= for none"):
        commands.path_in({}, "DROP", may_be_empty=True)
    assert commands.path_in({"CSV": "tests"}, "CSV") == Path("tests").absolute()


def test_the_first_training_that_waits_for_nothing_is_next():
    trainings = parse_list(LIST).trainings
    teacher, pupil, last = trainings
    done = {name: Outcome("done", "") for name in ("teacher", "pupil", "last")}
    assert next_training(trainings, {}) == teacher
    assert next_training(trainings, {"teacher": done["teacher"]}) == pupil
    assert next_training(trainings, done) is None
    assert states(trainings, {}) == {"teacher": "ready", "pupil": "waiting", "last": "waiting"}
    failed = {"teacher": Outcome("failed", teacher.fingerprint())}
    assert states(trainings, failed) == {"teacher": "failed", "pupil": "blocked", "last": "blocked"}
    assert next_training(trainings, failed) is None
    mended = (replace(teacher, settings=("epochs=2",)), pupil, last)
    assert next_training(mended, failed) == mended[0]


def test_this_repositorys_list_asks_for_what_recipes_know():
    listed = load_list(OWN_LIST)
    assert listed.trainings
    for training in listed.trainings:
        load_config(training.recipe, training.settings)
