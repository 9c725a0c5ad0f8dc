"""Mutated pictures and videos, a few of those of benchmarks/fuzz.py: each is answered, and the service goes on."""

from collections import Counter

from benchmarks.fuzz import requests

from waiting import wait_for

PICTURES, VIDEOS = 200, 15


def test_mutations_are_answered(client):
    statuses = Counter()
    for kind, number, path, content, media_type in requests(range(PICTURES), range(VIDEOS)):
        answer = client.post(path, content=content, headers={"content-type": media_type})
        assert answer.status_code in {200, 413, 415, 422}, (kind, number, answer.text)
        statuses[kind, answer.status_code] += 1
    assert statuses["picture", 200]
    assert statuses["picture", 422]
    assert sum(statuses.values()) == PICTURES + VIDEOS
    assert wait_for(lambda: client.get("/readyz").status_code == 200)
