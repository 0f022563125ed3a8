"""LangChain's own standard tests of embeddings, on embedders as LangChain has them."""

import asyncio
import inspect

import pytest

import embedclf


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wordllama", "aimlapi"])
@pytest.mark.usefixtures("api")
def test_the_standard_tests_of_langchain_pass(name: str, pytestconfig: pytest.Config):
    """Each is called by its name: the plugins that their package brings along are switched off in pyproject.toml."""
    pytest.importorskip("langchain_tests", reason="langchain-tests is not installed")
    for marker in ("benchmark", "vcr"):
        pytestconfig.addinivalue_line("markers", f"{marker}: used by langchain-tests")
    from langchain_tests.integration_tests import EmbeddingsIntegrationTests

    class Tests(EmbeddingsIntegrationTests):
        @property
        def embeddings_class(self):
            return type(embedclf.as_langchain(embedder))

    embedder = embedclf.open_embedder(name, cache=True)
    tests = Tests()
    called = [test for test in dir(tests) if test.startswith("test_") and "model" in signature_of(tests, test)]
    assert len(called) >= 4
    for test in called:
        answer = getattr(tests, test)(embedclf.as_langchain(embedder))
        if inspect.isawaitable(answer):
            asyncio.run(answer)


def signature_of(tests: object, test: str) -> set[str]:
    return set(inspect.signature(getattr(tests, test)).parameters)
