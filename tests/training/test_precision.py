import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from mien.training.precision import FABRIC_PRECISION, best_precision

ASK = "from mien.training.precision import best_precision; print(best_precision('cpu'))"
X86 = platform.machine() in ("x86_64", "AMD64")


def asked(**environment):
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.strip()


@pytest.mark.skipif(not X86, reason="the variables below are those of x86 processors")
def test_a_processor_of_avx2_computes_in_float32():
    assert asked(ONEDNN_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2") == "fp32"


@pytest.mark.skipif(not (X86 and Path("/proc/cpuinfo").exists()), reason="asks Linux for the processor's flags")
def test_bfloat16_is_chosen_where_linux_names_its_instructions():
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    usable = {"avx512_bf16", "amx_bf16"} & set(flags) and "avx512bw" in flags
    environment = {"ONEDNN_MAX_CPU_ISA": "ALL", "ATEN_CPU_CAPABILITY": ""}
    assert asked(**environment) == ("bf16" if usable else "fp32")


def test_apples_gpus_compute_in_float32():
    assert best_precision("mps") == "fp32"


def test_only_float16_scales_its_loss():
    assert {ours: theirs for ours, theirs in FABRIC_PRECISION.items() if theirs == "16-mixed"} == {"fp16": "16-mixed"}
