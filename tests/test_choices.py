import subprocess
import sys
from typing import get_args

import pytest

from mien import choices, defaults
from mien.data import export
from mien.data.audit import cleaning
from mien.data.reading import class_maps, layouts
from mien.faces import alignments, detectors
from mien.model.embedded import embedded_models
from mien.recognition import smoothing


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (detectors._DETECTORS, choices.DETECTORS),
        (alignments.ALIGNMENTS, choices.ALIGNMENTS),
        (smoothing._SMOOTHINGS, choices.SMOOTHINGS),
        (layouts.LAYOUTS, choices.FOLDER_LAYOUTS),
        (class_maps._KNOWN, choices.CLASS_MAPS),
        (export.FORMATS, choices.EXPORT_FORMATS),
        (cleaning.RULES, choices.CLEANING_RULES),
    ],
)
def test_a_table_has_the_names_of_its_list_in_its_order(table, names):
    assert tuple(table) == names


def test_any_device_is_one_of_either_kind():
    assert set(get_args(choices.AnyDevice)) == {*choices.MODEL_DEVICES, *choices.TRAINING_DEVICES}


def test_the_default_model_is_embedded():
    assert defaults.DEFAULT_MODEL in embedded_models()


def test_the_command_line_is_built_without_a_heavy_import():
    program = "import sys, mien.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "mien.choices" in loaded
    assert not {"numpy", "cv2", "torch", "onnxruntime", "PIL"} & set(loaded)
