import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from mien.labels import EMOTIONS
from mien.model.onnx_model import Bundle
from mien.runs import read_log

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_a_program_without_mien_reads_the_same(write_linear_model, tmp_path):
    model = write_linear_model(tmp_path / "linear.onnx")
    face = np.random.default_rng(2).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(face).save(tmp_path / "face.png")
    script = EXAMPLES / "onnx_without_mien.py"
    done = subprocess.run(
        [sys.executable, script, model, tmp_path / "face.png"], capture_output=True, text=True, check=True
    )
    probabilities = Bundle.load(model).probabilities(face[None])[0]
    likely = int(probabilities.argmax())
    assert done.stdout == f"{tmp_path / 'face.png'}: {EMOTIONS[likely]} {probabilities[likely]:.3f}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "usage: python .*MODEL.onnx FACE.png"),
        (["linear.onnx"], "usage: python .*MODEL.onnx FACE.png"),
        (["nowhere.onnx", "face.png"], "nowhere.onnx: not a model that onnxruntime loads"),
        (["face.png", "face.png"], "face.png: not a model that onnxruntime loads"),
        (["bare.onnx", "face.png"], "bare.onnx: a model without mien's metadata; name a file that `mien export` wrote"),
        (["linear.onnx", "linear.onnx"], "linear.onnx: not a picture that can be read"),
    ],
)
def test_a_program_without_mien_says_in_one_line_what_it_cannot_read(write_linear_model, tmp_path, arguments, line):
    write_linear_model(tmp_path / "linear.onnx")
    bare = onnx.load(tmp_path / "linear.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    Image.new("L", (16, 16)).save(tmp_path / "face.png")
    script = EXAMPLES / "onnx_without_mien.py"
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(line, done.stderr)
    assert len(done.stderr.splitlines()) == 1


STUBS = {
    "mlflow": """
import json, sys
def note(name):
    return lambda *words, **named: print(json.dumps([name, words, named]))
for name in ("start_run", "log_params", "log_metrics", "set_tag", "end_run"):
    globals()[name] = note(name)
""",
    "wandb": """
import json
class Run:
    def __init__(self, **named):
        print(json.dumps(["init", [], named])); self.summary = {}
    def log(self, values, step):
        print(json.dumps(["log", [values], {"step": step}]))
    def finish(self):
        print(json.dumps(["finish", [], self.summary]))
init = Run
""",
}


@pytest.mark.parametrize("logger", ["mlflow", "wandb"])
def test_a_logger_of_somebody_elses_is_told_of_every_epoch(logger, tmp_path, small_store, monkeypatch, capsys):
    """Against a module of the same calls that prints them: neither package is among mien's dependencies."""
    stub = types.ModuleType(logger)
    exec(STUBS[logger], vars(stub))
    monkeypatch.setitem(sys.modules, logger, stub)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'network = "mien_s"\nepochs = 1\nbatch_size = 20\nprecision = "fp32"\nselect_on = "last"\n'
        "[preprocess]\nframe_size = 16\ninput_size = 12\n[schedule]\nwarmup_epochs = 0\n"
    )
    monkeypatch.setattr(sys, "argv", ["loggers.py", logger, *map(str, (recipe, small_store, tmp_path / "run"))])
    runpy.run_path(str(EXAMPLES / "loggers.py"), run_name="__main__")
    calls = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "0.1" in json.dumps(calls[:-2])  # the learning rate among the settings
    (epoch,) = read_log(tmp_path / "run")
    told = [{**(words[0] if words else {}), **named} for name, words, named in calls if name in ("log", "log_metrics")]
    assert told == [{**{name: float(value) for name, value in epoch.items() if name != "epoch"}, "step": 1}]
    assert "epoch 1 of 1 is done" in json.dumps(calls[-2:])
    assert (tmp_path / "run/curves.png").exists()


def test_the_file_for_nginx_stands_within_its_http_block(tmp_path):
    """/etc/nginx/conf.d/*.conf is included there, where neither `http` nor `events` may stand."""
    text = (EXAMPLES / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"^(\w+) ", text, re.MULTILINE) == ["map", "server"]
    if nginx := shutil.which("nginx"):  # its own word, where it is there
        plain = text.replace("443 ssl", "8443").replace("ssl_cert", "#")
        (tmp_path / "mien.conf").write_text(plain)
        (tmp_path / "nginx.conf").write_text("pid nginx.pid;\nevents {}\nhttp { include mien.conf; }\n")
        command = [nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "syntax is ok" in done.stderr, done.stderr  # whatever it then may or may not open


def test_the_unit_starts_the_service_as_the_proxies_need_it(mien):
    """Of one name and one proxy, in the unit, in nginx's file and in Caddy's."""
    unit = (EXAMPLES / "mien.service").read_text(encoding="utf-8").replace("\\\n", "")
    words = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])
    helped = mien("serve", "--help").stdout
    assert all(re.search(rf"{word}\b", helped) for word in words if word.startswith("--"))
    name = words[words.index("--allow-host") + 1]
    assert f"server_name {name};" in (EXAMPLES / "nginx.conf").read_text(encoding="utf-8")
    assert f"\n{name} {{" in (EXAMPLES / "Caddyfile").read_text(encoding="utf-8")
    assert words[words.index("--trust-proxy") + 1] == "127.0.0.1"
