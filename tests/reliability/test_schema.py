"""The OpenAPI document against the server: what fits it and what does not is answered as the document says."""

import contextlib
from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from synthetic import write_results

from analysis.core import paths
from model.predict import Predictor

# Bytes that fit the document need not be a photo of a face: most are refused, and rightly so.
LEFT_OUT = [positive_data_acceptance]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.BaseSchema:
    from dashboard.server import create_app

    folder = tmp_path_factory.mktemp("schema")
    predictor = Predictor.load(paths.PROJECT / "results/model", threads=1)
    app = create_app(write_results(folder / "run").folder, folder / "site", predictor)
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


def answers(document: schemathesis.BaseSchema, examples: int) -> int:
    """Ask for every operation, and check each answer; number of requests."""
    asked = 0
    for found in document.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @seed(0)
            def ask(case: schemathesis.Case) -> None:
                nonlocal asked
                asked += 1
                case.call_and_validate(timeout=60, excluded_checks=LEFT_OUT)

            with contextlib.suppress(Unsatisfiable):  # where nothing is asked for, nothing can be wrong
                ask()
    return asked


@pytest.mark.slow
def test_answers_are_those_that_the_document_promises(document: schemathesis.BaseSchema) -> None:
    assert answers(document, 8) > 30


@pytest.mark.slow
@pytest.mark.torture
def test_thousands_of_requests_are_answered_as_the_document_promises(
    document: schemathesis.BaseSchema, record_property: Callable[[str, object], None]
) -> None:
    record_property("reliability", {"requests": answers(document, 200)})
