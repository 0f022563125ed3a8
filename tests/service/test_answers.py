"""What a service says when something is wrong, and what it does not say."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import LABELS, QUICK, TEXTS
from embedclf.classifier.decisions import Decision
from embedclf.embedding.wordllama import WordLlamaEmbedder
from embedclf.service.connections import bounded_protocol
from serving import JSON, Process, ask, count, serving

SECRET = "my secret text"
RAISED = [StopIteration, StopAsyncIteration, GeneratorExit, SystemExit, KeyboardInterrupt, asyncio.CancelledError,
          ValueError, KeyError, RecursionError, MemoryError]  # fmt: skip


class Raising(DeterministicFakeEmbedding):
    """Raises what it is told to."""

    error: Any = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.error is not None:
            raise self.error(*texts)
        return super().embed_documents(texts)


class TestFailures:
    @pytest.mark.parametrize("raised", RAISED)
    def test_whatever_an_embedder_raises_is_answered(self, caplog: pytest.LogCaptureFixture, raised: type[Exception]):
        """With 502; the log has its type and where it was raised, but not its message, which holds the text."""
        embeddings = Raising(size=8)
        classifier = embedclf.train(TEXTS, LABELS, embedder=embeddings, **QUICK)
        embeddings.error = raised
        caplog.set_level(logging.INFO)
        with serving(embedclf.create_app(classifier)) as client:
            for _ in range(2):
                answer = ask(client, SECRET)
                assert (answer.status_code, answer.json()) == (
                    502,
                    {"detail": "the embedder failed; see the service's log"},
                )
            assert count(client, "embedclf_failures_total") == 2
            embeddings.error = None
            assert ask(client, SECRET).status_code == 200
        assert f"the embedder raised {raised.__name__} at test_answers.py:" in caplog.text
        assert SECRET not in caplog.text

    @pytest.mark.parametrize("raised", RAISED)
    def test_it_is_in_the_event_loop_too(
        self,
        trained: embedclf.TextClassifier,
        raised: type[Exception],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        """Where short texts are labelled."""

        def failing(embedder: WordLlamaEmbedder, texts: list[str]) -> Any:
            raise raised(*texts)

        with serving(embedclf.create_app(trained)) as client:
            with monkeypatch.context() as patched:
                patched.setattr(type(trained.embedder), "embed_partial", failing, raising=False)
                patched.setattr(type(trained.embedder), "embed", failing)
                assert ask(client, SECRET).status_code == 502
            assert ask(client, SECRET).status_code == 200
        assert SECRET not in caplog.text

    def test_a_fault_of_the_service_is_answered(
        self, trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        """With 500, in JSON, and without its message in the log."""

        def failing(*args: Any) -> Any:
            raise ValueError(SECRET) from StopIteration(SECRET)

        monkeypatch.setattr(Decision, "answers", failing)
        with serving(embedclf.create_app(trained)) as client:
            answer = ask(client, SECRET)
            assert (answer.status_code, answer.json()) == (500, {"detail": "internal error; see the service's log"})
            assert count(client, 'embedclf_requests_total{path="/predict",status="500"}') == 1
        assert "POST /predict failed: ValueError from StopIteration" in caplog.text
        assert SECRET not in caplog.text

    def test_the_log_does_not_quote_a_text(self, api: AimlapiServer, caplog: pytest.LogCaptureFixture):
        """Neither where the API does, whole or in part."""
        classifier = embedclf.train(TEXTS, LABELS, embedder=embedclf.open_embedder("aimlapi", retries=0))
        texts = (SECRET, f"{SECRET}\nand much more of it")
        with serving(embedclf.create_app(classifier)) as client:
            for text in texts:
                api.fault = lambda request: error(500, f"cannot read {request.texts[0][:25]}")
                answer = ask(client, text)
                assert answer.status_code == 502
                assert api.base_url not in answer.text
        assert SECRET not in caplog.text
        assert "the embedder failed with EmbedderError" in caplog.text


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "status", "detail"),
        [
            (b'{"texts": ["\xff"]}', 400, "the body is not valid UTF-8 (at byte 12)"),
            (b"[" * 100_000, 400, "the body is nested too deeply"),
            (b'{"texts": ' + b"1" * 5_000 + b"}", 400, "the body contains a number with too many digits"),
            (b'{"texts": ["a"}', 422, "the body is not valid JSON (at character 14)"),
        ],
        ids=["bytes", "depth", "digits", "form"],
    )
    def test_why_one_cannot_be_read_is_said(
        self, trained: embedclf.TextClassifier, body: bytes, status: int, detail: str
    ):
        """In words, and without what stands in it."""
        with serving(embedclf.create_app(trained)) as client:
            answer = client.post("/predict", content=body, headers=JSON)
            assert (answer.status_code, answer.json()) == (status, {"detail": detail})


class TestHead:
    @pytest.mark.slow
    def test_it_works_where_get_does(self, model: Path):
        """With the same headers, and no body."""
        with Process("-m", model) as served:
            for path in ("/health", "/ready", "/model", "/metrics", "/docs", "/openapi.json"):
                got, head = served.client.get(path), served.client.head(path)
                assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
                assert got.content
                if path != "/metrics":  # its counts have grown
                    assert dict(head.headers) | {"date": ""} == dict(got.headers) | {"date": ""}
            assert served.client.head("/nothing").status_code == 404
            assert served.client.head("/predict").status_code == 405
            assert served.client.get("/health").json()["status"] == "alive"  # nothing was left on the connection

    def test_other_methods_are_refused(self, trained: embedclf.TextClassifier):
        """With 405, and those that are allowed."""
        with serving(embedclf.create_app(trained), http=bounded_protocol(embedclf.Limits())) as client:
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
                assert client.request(method, "/health").status_code == 405
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                answer = client.request(method, "/predict")
                assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
