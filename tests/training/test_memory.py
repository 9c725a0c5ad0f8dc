import platform
import subprocess
import sys

import pytest

FEWEST_FAULTS = """
import resource, sys
import torch
from mien.training.memory import keep_freed_memory

def faults_of_a_round():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept":
    keep_freed_memory()
print(min(faults_of_a_round() for _ in range(30)))
"""
BYTES = 16_000_000 * 4
HUGE_PAGE = 2**21


def fewest_faults(how):
    program = [sys.executable, "-c", FEWEST_FAULTS, how]
    return int(subprocess.run(program, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_a_freed_tensor_is_not_fetched_from_the_system_again():
    assert fewest_faults("kept") < BYTES // HUGE_PAGE <= fewest_faults("given back")
