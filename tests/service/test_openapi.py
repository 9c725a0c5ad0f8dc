import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mien.service.media_types import PICTURES, VIDEOS
from waiting import HANG

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@schemathesis.serializer(*PICTURES, *VIDEOS)
def binary(ctx, value):
    """Pictures and videos go out as the bytes that were generated."""
    return getattr(value, "data", str(value).encode())


@pytest.fixture(scope="module")
def operations(address):
    schema = schemathesis.openapi.from_url(f"http://{address}/openapi.json", timeout=HANG)
    return {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}


@pytest.mark.parametrize(
    "label",
    ["POST /v1/predict", "POST /v1/predict/video", "GET /v1/models", "GET /healthz", "GET /readyz", "GET /metrics"],
)
def test_generated_requests_get_what_the_document_says(operations, label):
    operation = operations[label]
    examples = {"POST /v1/predict": 40, "POST /v1/predict/video": 15}.get(label, 5)

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case):
        case.call_and_validate(checks=CHECKS, timeout=HANG)

    run()


def test_the_example_is_what_comes_back(client, astronaut_jpeg):
    document = client.get("/openapi.json").json()
    (example,) = document["paths"]["/v1/predict"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    (frame,) = client.post("/v1/predict", content=astronaut_jpeg, headers={"content-type": "image/jpeg"}).json()
    assert frame.keys() - example.keys() == {"time", "error"}  # FastAPI leaves out what is null
    assert frame["faces"][0].keys() - example["faces"][0].keys() == {"track"}
