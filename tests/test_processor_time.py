"""The processor time that benchmarks count: that of orphans, too."""

import subprocess
import sys
from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

_MEASURED = """
import subprocess, sys
from processor_time import adopt_orphans, seconds_below

busy = "import time\\nwhile time.process_time() < 0.3: pass"
leaves_an_orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])"
adopt_orphans()
subprocess.run([sys.executable, "-c", leaves_an_orphan], check=True)
print(seconds_below())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans are not adopted")
def test_the_processor_time_of_an_orphan_counts():
    command = [sys.executable, "-c", _MEASURED]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_BENCHMARKS)
    assert 0.3 <= float(said.stdout) < 3
