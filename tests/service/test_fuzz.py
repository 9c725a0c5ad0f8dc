"""Mutated pictures and videos, a few of those of benchmarks/fuzz.py: each is answered, and the service goes on."""

from collections import Counter

import pytest
from benchmarks.fuzz import requests

from waiting import wait_for


@pytest.mark.parametrize(("pictures", "videos"), [(80, 8), pytest.param(400, 40, marks=pytest.mark.slow)])
def test_mutations_are_answered(client, pictures, videos):
    statuses = Counter()
    for kind, number, path, content, media_type in requests(range(pictures), range(videos)):
        answer = client.post(path, content=content, headers={"content-type": media_type})
        assert answer.status_code in {200, 413, 415, 422}, (kind, number, answer.text)
        statuses[kind, answer.status_code] += 1
    assert statuses["picture", 200]
    assert statuses["picture", 422]
    assert sum(statuses.values()) == pictures + videos
    assert wait_for(lambda: client.get("/readyz").status_code == 200)
