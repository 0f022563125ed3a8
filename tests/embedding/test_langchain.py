"""Embedders beside the three of AI/ML API's model card: its other models, and LangChain's providers."""

import asyncio
import gc
import json
import pickle
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aimlapi_server
import embedclf
from aimlapi_server import OTHER_MODELS, AimlapiServer, error
from corpus import LABELS, QUICKLY, TEXTS
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli


@pytest.mark.parametrize("model", OTHER_MODELS)
def test_the_other_models_work_without_the_fields_that_they_refuse(cli: Cli, api: AimlapiServer, dataset, model: str):
    """No request is refused: what each takes is known. Trained, saved, loaded, and nothing paid for twice."""
    schema = OTHER_MODELS[model]
    result = cli("train", dataset, *QUICKLY, "--embedder", f"aimlapi:{model}", "-o", "m.safetensors")
    assert result.exit_code == 0, result.stderr
    assert {request.status for request in api.requests} == {200}
    assert sorted(api.texts_sent) == sorted(TEXTS)
    assert result.stderr.count(" charged\n") == 1
    classifier = embedclf.load("m.safetensors", cache=True)
    assert classifier.card.embedder.dimensions == schema.size
    assert classifier.predict(TEXTS) == cli_labels(cli, TEXTS)
    assert sorted(api.texts_sent) == sorted(TEXTS)


def cli_labels(cli: Cli, texts: list[str]) -> list[str]:
    return [line.split("\t")[0] for line in cli("predict", "-m", "m.safetensors", *texts).stdout.splitlines()]


def test_a_length_that_can_be_asked_for(api: AimlapiServer):
    """Qwen's is sent, and kept apart from others in the cache."""
    name = "aimlapi:alibaba/qwen-text-embedding-v4"
    for dimensions in (64, 128, 64, None):
        vectors = embedclf.open_embedder(name, dimensions=dimensions, cache=True).embed(TEXTS[:3])
        wanted = [aimlapi_server.embed(text, name.partition(":")[2], 1024, dimensions) for text in TEXTS[:3]]
        np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    assert [request.body.get("dimensions") for request in api.requests] == [64, 128, None]
    with pytest.raises(
        embedclf.EmbedderError, match="supports 64, 128, 256, 512, 768, 1024, 1536 or 2048 dimensions, got 32"
    ):
        embedclf.open_embedder(name, dimensions=32)


def test_a_model_that_cuts_by_itself_is_told_not_to(api: AimlapiServer):
    """Nothing is silently truncated."""
    embedclf.open_embedder("aimlapi:text-multilingual-embedding-002").embed(["a text"])
    assert api.requests[0].body["auto_truncate"] is False


@pytest.mark.parametrize("field", ["encoding_format", "dimensions"])
def test_a_field_that_is_refused_is_left_out_from_then_on(api: AimlapiServer, field: str):
    """Whatever the model; the length is checked all the same."""

    def fault(request: aimlapi_server.Request) -> aimlapi_server.Response | None:
        if field in request.body:
            return error(400, f"Body validation error\nUnrecognized key(s) in object: '{field}'")
        return None

    api.fault = fault
    embedder = embedclf.open_embedder("aimlapi:text-embedding-3-small")
    for text in TEXTS[:3]:
        np.testing.assert_allclose(
            embedder.embed([text])[0], aimlapi_server.embed(text, "text-embedding-3-small", 1536), atol=1e-6
        )
    refused = [request for request in api.requests if request.status == 400]
    assert len(refused) == {"encoding_format": 2, "dimensions": 1}[field]
    assert len(api.texts_sent) == 3


def test_embedders_lists_them(process):
    """Dimensions, input limit, price and accuracy as published; what is not is a dash. Then which to take."""
    shown = process("embedders")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    columns = [re.split(r"\s{2,}", line) for line in lines]
    assert len({len(line) for line in lines}) == 1
    assert columns[:5] == [
        ["embedder", "dimensions", "max tokens", "$/1M", "accuracy"],
        ["aimlapi:text-embedding-3-small", "1536*", "8,191", "0.02", "76.6"],
        ["aimlapi:text-embedding-3-large", "3072*", "8,191", "0.13", "77.6"],
        ["aimlapi:text-embedding-ada-002", "1536", "8,191", "0.10", "75.5"],
        ["aimlapi:voyage-2", "1024", "4,000", "-", "71.5"],
    ]
    assert columns[-4:-2] == [
        ["wordllama:l2_supercat", "256*", "-", "free", "-"],
        ["fastembed:BAAI/bge-small-en-v1.5", "384", "512", "free", "-"],
    ]
    assert "Which to take:\n  English: aimlapi:text-multilingual-embedding-002 (82.9 %), aimlapi:voyage" in shown.stderr
    listed = json.loads(process("embedders", "--json").stdout)["embedders"]
    assert listed[0] == {
        "embedder": "aimlapi:text-embedding-3-small",
        "dimensions": 1536,
        "shortens_to": [1, 1536],
        "input_tokens": 8191,
        "dollars_per_million_tokens": 0.02,
        "pages_per_dollar": 62500,
        "mteb": 62.3,
        "mteb_classification": 76.6,
        "mteb_classification_tasks": {
            "Banking77Classification": 83.0,
            "EmotionClassification": 50.6,
            "AmazonCounterfactualClassification": 76.4,
            "ImdbClassification": 83.7,
            "MTOPDomainClassification": 93.9,
            "MassiveIntentClassification": 72.9,
            "ToxicConversationsClassification": 71.9,
            "TweetSentimentExtractionClassification": 61.7,
        },
    }
    assert {one["embedder"]: one["dimensions"] for one in listed[:-4]} == {
        f"aimlapi:{name}": size for name, size in (aimlapi_server.MODELS | _sizes()).items()
    }
    assert len(listed) == len(lines) - 1


def _sizes() -> dict[str, int]:
    return {name: schema.size for name, schema in OTHER_MODELS.items()}


class _Ollama(BaseHTTPRequestHandler):
    """As much of Ollama's API as embedding takes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))  # type: ignore[attr-defined]
        vectors = [aimlapi_server.embed(text, body["model"], 256).tolist() for text in body["input"]]
        answer = json.dumps({"model": body["model"], "embeddings": vectors}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """Ollama on loopback; gives what it was asked."""
    pytest.importorskip("langchain_ollama")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ollama) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("OLLAMA_HOST", f"http://127.0.0.1:{server.server_port}")
        yield server.asked  # type: ignore[attr-defined]
        server.shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


# Its client leaves that to the garbage collector.
unclosed = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@unclosed
class TestProviders:
    """A provider that is not ours is LangChain's."""

    def test_train_evaluate_predict(self, cli: Cli, ollama: list, dataset: Path):
        """With the same cache in front; whoever loads names the embedder again."""
        name = "ollama:nomic-embed-text"
        result = cli("train", dataset, *QUICKLY, "--embedder", name, "-o", "m.safetensors")
        assert result.exit_code == 0, result.stderr
        assert f"Embedder: {name} (dimensions set by the first response)\n" in result.stderr
        assert [body["input"] for _, body in ollama] == [TEXTS]
        assert embedclf.open_embedder(name, cache=True).embed(TEXTS).shape == (30, 256)
        result = cli("evaluate", dataset, "-m", "m.safetensors", "--embedder", name, "--json")
        assert json.loads(result.stdout)["n_examples"] == 30
        assert len(ollama) == 1
        result = cli("predict", "-m", "m.safetensors", "--embedder", name, "my parcel")
        assert result.stdout.startswith("delivery\t")
        assert len(ollama) == 2
        assert VectorCache().info()[0].model == name

    def test_a_file_alone_opens_none(self, cli: Cli, ollama: list, dataset: Path):
        """A model file from a stranger makes nobody call anything."""
        cli("train", dataset, *QUICKLY, "--embedder", "ollama:m", "-o", "m.safetensors")
        asked = len(ollama)
        result = cli("predict", "-m", "m.safetensors", "a text")
        assert result.exit_code == 1
        assert result.stderr == (
            "Error: m.safetensors was trained with a third-party embedder (ollama:m): a model file cannot choose which "
            "package to load, so pass it with --embedder ollama:m (embedder=…)\n"
        )
        assert len(ollama) == asked
        result = cli("predict", "-m", "m.safetensors", "--embedder", "ollama:other", "a text")
        assert result.stderr.startswith("Error: m.safetensors was trained with ollama:m (256 dimensions), but the")

    def test_a_server_that_is_not_there(self, cli: Cli, dataset: Path, monkeypatch: pytest.MonkeyPatch):
        """One line, no traceback."""
        pytest.importorskip("langchain_ollama")
        monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
        result = cli("train", dataset, *QUICKLY, "--embedder", "ollama:m")
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith("Error: ollama:m failed: ")

    def test_a_provider_whose_package_is_missing(self, cli: Cli, dataset: Path):
        """The error names it."""
        pytest.importorskip("langchain")
        result = cli("train", dataset, *QUICKLY, "--embedder", "mistralai:mistral-embed")
        assert result.exit_code == 1
        assert result.stderr == (
            "Error: mistralai:mistral-embed needs a package that is not installed: pip install langchain-mistralai\n"
        )

    def test_a_provider_that_there_is_not(self, cli: Cli, dataset: Path):
        """One line, in LangChain's words."""
        pytest.importorskip("langchain")
        result = cli("train", dataset, *QUICKLY, "--embedder", "nobody:nothing")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: nobody:nothing cannot be opened: ")
        assert len(result.stderr.splitlines()) == 1

    @pytest.mark.slow
    def test_without_langchain(self, dataset: Path):
        """The error says what to install."""
        code = (
            "import sys; sys.modules['langchain'] = None\n"
            f"from embedclf.cli import main; main(['train', {str(dataset)!r}, '--embedder', 'ollama:m'])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr == (
            "Error: unknown embedder 'ollama:m'. Built in: wordllama, words, aimlapi:MODEL, fastembed:MODEL (see "
            "embedclf embedders). For LangChain's providers, install langchain and the provider's package: pip install "
            "langchain langchain-ollama\n"
        )


@unclosed
def test_a_classifier_of_langchains_provider_in_python(ollama: list):
    """Named, or handed over."""
    classifier = embedclf.train(TEXTS, LABELS, embedder="ollama:m")
    classifier.save("m.safetensors")
    loaded = embedclf.load("m.safetensors", embedder="ollama:m", cache=True)
    assert loaded.predict(TEXTS[:3]) == ["delivery"] * 3
    assert len(ollama) == 1


def test_a_cancelled_call_of_a_langchain_embedder_sends_nothing_more():
    """Batch by batch."""
    import asyncio
    import time

    class Slow:
        sent = 0

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            Slow.sent += 1
            time.sleep(0.1)
            return [[1.0, float(len(text))] for text in texts]

    classifier = embedclf.train(["a", "bbbb", "cc", "ddddd"], ["x", "y", "x", "y"], embedder=Slow(), holdout=0)
    Slow.sent = 0

    async def main() -> None:
        task = asyncio.create_task(classifier.apredict([f"text {number}" for number in range(512 * 10)]))
        while not Slow.sent:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    time.sleep(0.5)
    assert Slow.sent <= 2


def test_a_classifier_of_any_embeddings_goes_to_another_process():
    """Pickled, it labels as before; what was counted stays behind."""
    from langchain_core.embeddings import DeterministicFakeEmbedding

    classifier = embedclf.train(TEXTS, LABELS, embedder=DeterministicFakeEmbedding(size=8), holdout=0)
    again = pickle.loads(pickle.dumps(classifier))
    assert classifier.embedder.usage.texts == len(TEXTS)
    assert again.embedder.usage.texts == 0
    assert again.predict(TEXTS) == classifier.predict(TEXTS)


def test_a_cancelled_aembed_documents_sends_nothing_more(api: AimlapiServer):
    """What is in flight is finished, as with `apredict`."""
    api.delay = 0.05
    embeddings = embedclf.as_langchain(embedclf.open_embedder("aimlapi", batch_size=1, concurrency=2))

    async def cancelled() -> None:
        await embeddings.aembed_query("one that opens the client")
        await asyncio.wait_for(embeddings.aembed_documents([f"text {number}" for number in range(40)]), 0.2)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    sent = api.n_requests
    time.sleep(0.3)
    assert api.n_requests <= sent + 2 < 40
