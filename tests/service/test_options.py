"""Options of `mien serve` whose values contradict themselves or what the system can do: said before anything starts."""

import pytest

from mien.errors import RequestError, UsageError
from mien.jobs.job import Running
from mien.service.limits import Limits
from mien.service.places import Places


@pytest.mark.parametrize("value", ["inf", "nan", "1e10", "-1"])
@pytest.mark.parametrize(
    "option", ["--picture-seconds", "--queue-seconds", "--drain-seconds", "--max-megapixels-per-client"]
)
def test_numbers_that_no_timer_takes_are_wrong_usage(mien, option, value):
    done = mien("serve", option, value, "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert option in done.stderr
    assert "Input should be" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["inf", "1e10", "nan"])
def test_so_they_are_for_a_job(mien, tmp_path, value):
    job = ("--out", tmp_path / "out", "--format", "parquet", "--resume")
    done = mien("predict", tmp_path, *job, "--time-limit", value)
    assert done.returncode == 2
    assert "Input should be" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e10, -1.0])
def test_so_they_are_in_python(seconds):
    with pytest.raises(UsageError, match=r"picture_seconds is .*: expected 0 to 86400 seconds"):
        Limits(picture_seconds=seconds)
    with pytest.raises(UsageError, match=r"the time limit is .*at most 86400"):
        Running(seconds=seconds)


def test_a_day_is_taken():
    assert Limits(picture_seconds=86_400).picture_seconds == Running(seconds=86_400).seconds == 86_400


def test_one_address_may_send_the_largest_picture(mien):
    done = mien("serve", "--max-megapixels-per-client", "10", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "10 megapixels of all pictures of one address, but 25 of each" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["video", "stream"])
@pytest.mark.parametrize("suffix", ["s", "s_per_client"])
def test_what_is_not_offered_is_refused_for_good(kind, suffix):
    places = Places(Limits(**{f"{kind}{suffix}": 0}))
    with pytest.raises(RequestError, match=f"takes no {kind}s") as refused, places.place(kind, "one"):
        pass
    assert refused.value.status == 403
