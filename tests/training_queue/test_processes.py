import subprocess
import sys
from pathlib import Path

import pytest
from training_queue.processes import be_nice_as_a_group

AUTOGROUPS = Path("/proc/self/autogroup").exists()


@pytest.mark.skipif(not AUTOGROUPS, reason="this kernel has no autogroups")
def test_a_training_gives_way_as_a_session():
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        be_nice_as_a_group(sleeper.pid, 7)
        assert Path(f"/proc/{sleeper.pid}/autogroup").read_text().split()[-1] == "7"
    finally:
        sleeper.communicate(b"\n")


def test_systems_without_autogroups_are_left_alone(tmp_path):
    be_nice_as_a_group(1, 7, proc=tmp_path)
    assert not any(tmp_path.iterdir())
