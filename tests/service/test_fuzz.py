"""A few of the mutations of benchmarks/fuzz.py and fuzz_wire.py: each is answered, and the service goes on."""

import logging
from collections import Counter

import pytest
from fuzz import requests
from fuzz_wire import statuses, wires

import waiting
from waiting import wait_for


@pytest.mark.parametrize(("pictures", "videos"), [(40, 4), pytest.param(400, 40, marks=pytest.mark.slow)])
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


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_mutated_requests_and_streams_leave_no_trace(serve, caplog, count):
    with serve() as address, caplog.at_level(logging.WARNING):
        host, port = address.split(":")
        found = Counter[int]()
        for _, content in wires(range(count), host.encode()):
            found.update(statuses((host, int(port)), content))
        assert wait_for(lambda: 'path="other",status="400"' in waiting.get(f"http://{address}/metrics").text)
        assert waiting.get(f"http://{address}/readyz").status_code == 200
    assert max(found, default=0) < 500
    assert [record.getMessage() for record in caplog.records if record.name != "mien.access"] == []
