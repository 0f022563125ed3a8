"""A later version of the model file takes the place of the one in use, without a restart."""

import asyncio
import gc
import hashlib
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

import embedclf
from aimlapi_server import AimlapiServer, Request
from corpus import LABELS, QUICK, TEXTS
from embedclf.classifier.model_file import write_model
from embedclf.embedding.base import EmbedderSpec
from embedclf.service import reloading
from embedclf.service.reloading import CurrentModel, ModelFile
from running import PATIENCE, wait_until
from serving import TEXT, Process, ask, client_of, count, serving

TOKEN = "a-good-token"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
PATH = Path("model.safetensors")


def save(prefix: str, path: Path = PATH, **settings: Any) -> None:
    """Train a model whose labels begin with a prefix, and put it where the service's is."""
    embedclf.train(TEXTS, [prefix + label for label in LABELS], **QUICK | settings).save(path)


def label(client: httpx.Client) -> str:
    (prediction,) = ask(client, TEXT).json()["predictions"]
    return prediction["label"]


@contextmanager
def served(**settings: Any) -> Iterator[httpx.Client]:
    source = ModelFile(PATH, **settings)
    with serving(embedclf.create_app(source.load(), token=TOKEN, source=source)) as client:
        client.headers.update(AUTHORIZED)
        yield client


class TestReload:
    def test_the_next_request_gets_the_new_model(self, caplog: pytest.LogCaptureFixture):
        """The answer, the card, the metrics and the log say which it is, as sha256sum does."""
        caplog.set_level("INFO")
        save("old ")
        before = hashlib.sha256(PATH.read_bytes()).hexdigest()
        with served() as client:
            assert label(client) == "old refund"
            save("new ")
            assert label(client) == "old refund"
            after = hashlib.sha256(PATH.read_bytes()).hexdigest()
            answer = client.post("/reload")
            assert answer.status_code == 200
            file = answer.json()["file"]
            assert (file["name"], file["sha256"]) == ("model.safetensors", after)
            assert label(client) == "new refund"
            assert client.get("/model").json()["file"] == file
            assert client.get("/model").json()["classes"] == ["new delivery", "new password", "new refund"]
            assert count(client, 'embedclf_reloads_total{result="loaded"}') == 1
            assert count(client, f'embedclf_model_info{{file="model.safetensors",sha256="{after}"}}') == 1
            assert before not in client.get("/metrics").text
        assert f"reloaded model.safetensors (SHA-256 {after[:12]}); before: " in caplog.text

    def test_those_that_wait_for_the_replaced_model_count(self, trained: embedclf.TextClassifier):
        """Until they have been answered."""
        trained.save(PATH)
        source = ModelFile(PATH)
        old, new = SimpleNamespace(n_waiting=2), SimpleNamespace(n_waiting=1)
        current = CurrentModel(source.load(), source, batcher=Mock(side_effect=[old, new]))
        asyncio.run(current.reload())
        assert current.n_waiting == 3
        old.n_waiting = new.n_waiting = 0
        assert current.n_waiting == 0

    def test_only_the_token_allows_it(self, trained: embedclf.TextClassifier):
        """Without one, or without a file, there is no such path, and none is described."""
        trained.save(PATH)
        source = ModelFile(PATH)
        with served() as client:
            del client.headers["authorization"]
            assert client.post("/reload").status_code == 401
            assert client.get("/health").json() == {"status": "alive"}
            assert "/reload" in client.get("/openapi.json").json()["paths"]
        for settings in ({"source": source}, {"token": TOKEN}):
            with serving(embedclf.create_app(source.load(), **settings)) as client:
                assert client.post("/reload", headers=AUTHORIZED).status_code == 404
                assert "/reload" not in client.get("/openapi.json").json()["paths"]

    def test_health_tells_the_model_if_the_rest_is_open(self, trained: embedclf.TextClassifier):
        """By its digest; a service that asks for a token tells it to nobody else."""
        trained.save(PATH)
        source = ModelFile(PATH)
        sha256 = hashlib.sha256(PATH.read_bytes()).hexdigest()
        with serving(embedclf.create_app(source.load(), source=source)) as client:
            assert client.get("/health").json() == {"status": "alive", "model": sha256}

    def test_the_threshold_of_the_command_stays(self):
        """It is a setting of the service, not of the file."""
        save("old ")
        with served(min_confidence=1.0) as client:
            assert label(client) is None
            save("new ")
            assert client.post("/reload").is_success
            assert label(client) is None
            assert client.get("/model").json()["threshold"] == 1.0


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


class TestUnusableFile:
    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (Path.unlink, "model not found: model.safetensors"),
            (lambda path: path.write_bytes(b"half a"), "model.safetensors is not a model file, or is damaged"),
            (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is damaged or truncated"),
            (damage, "model.safetensors is damaged: its checksum does not match"),
        ],
        ids=["none", "other", "truncated", "damaged"],
    )
    def test_the_old_model_goes_on(
        self,
        trained: embedclf.TextClassifier,
        spoil: Callable[[Path], Any],
        said: str,
        caplog: pytest.LogCaptureFixture,
    ):
        """The answer and the log say why; a file that is right again is taken."""
        trained.save(PATH)
        with served() as client:
            spoil(PATH)
            answer = client.post("/reload")
            assert answer.status_code == 409
            assert answer.json()["detail"].startswith("the model in use stays: ")
            assert said in answer.json()["detail"]
            assert "cannot reload; still serving model.safetensors (SHA-256 " in caplog.text
            assert said in caplog.text
            assert label(client) == "refund"
            assert count(client, 'embedclf_reloads_total{result="failed"}') == 1
            trained.save(PATH)
            assert client.post("/reload").status_code == 200

    def test_one_that_changes_while_it_is_read_is_not_taken(
        self, trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch
    ):
        """The digest would be that of another."""
        trained.save(PATH)
        with served() as client:
            digest = reloading.file_digest

            def meanwhile(*args: Any) -> Any:
                trained.save(PATH)
                return digest(*args)

            monkeypatch.setattr(reloading, "file_digest", meanwhile)
            answer = client.post("/reload")
            assert answer.status_code == 409
            assert "model.safetensors changed while it was being read; load it again" in answer.json()["detail"]

    def test_an_error_that_is_none_of_ours_is_not_told(
        self, trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        """The log has its kind, and the old model goes on."""
        trained.save(PATH)
        with served() as client:

            def failing(*_: Any) -> Any:
                raise ValueError("a secret")

            monkeypatch.setattr(reloading, "read_model", failing)
            assert client.post("/reload").status_code == 500
            assert label(client) == "refund"
        assert "cannot reload; still serving model.safetensors" in caplog.text
        assert "ValueError at test_reloading.py" in caplog.text
        assert "a secret" not in caplog.text


class TestEmbedder:
    def test_the_same_is_used_again(self, trained: embedclf.TextClassifier):
        """With its connection, its counts and its limit."""
        trained.save(PATH)
        source = ModelFile(PATH)
        assert source.load().embedder is source.load().embedder
        assert len(source.embedders) == 1

    def test_another_is_opened_if_it_could_have_been_at_the_start(self):
        """One of ours that runs here."""
        save("old ")
        with served() as client:
            save("new ", embedder="words", features="words")
            assert client.post("/reload").is_success
            assert client.get("/model").json()["embedder"]["provider"] == "words"
            assert label(client) == "new refund"

    def test_an_address_in_a_file_is_not_called(self, api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
        """It is compared with the one that the service would call by itself."""
        save("old ", embedder="wordllama")
        with served() as client:
            save("new ", embedder="aimlapi")
            api.reset()
            monkeypatch.setenv("AIMLAPI_BASE_URL", "https://elsewhere.example/v1")
            answer = client.post("/reload")
            assert answer.status_code == 409
            assert "would now call https://elsewhere.example/v1" in answer.json()["detail"]
            assert label(client) == "old refund"
        assert api.n_requests == 0

    @pytest.mark.parametrize(
        ("given", "spec", "said"),
        [
            (None, EmbedderSpec("ollama", "nomic-embed-text", 256), "a model file cannot choose which package to load"),
            ("wordllama", EmbedderSpec("words", "ngrams", 256), "but the embedder is wordllama:l2_supercat"),
        ],
    )
    def test_a_file_does_not_choose_what_is_loaded(
        self, trained: embedclf.TextClassifier, given: str | None, spec: EmbedderSpec, said: str
    ):
        """As at the start: neither a package, nor another embedder than the one that was asked for."""
        trained.save(PATH)
        with served(embedder=given) as client:
            write_model(PATH, trained.model, replace(trained.card, embedder=spec))
            answer = client.post("/reload")
            assert answer.status_code == 409
            assert said in answer.json()["detail"]
            assert label(client) == "refund"

    def test_a_limit_holds_for_all_of_them_together(self, api: AimlapiServer):
        """Else each reload would allow as much again; and no count goes back."""
        save("old ", embedder="aimlapi:text-embedding-3-small")
        source = ModelFile(PATH, max_cost=1.0, retries=0)
        app = embedclf.create_app(source.load(), token=TOKEN, source=source)
        with serving(app) as client:
            client.headers.update(AUTHORIZED)
            assert label(client) == "old refund"
            tokens = count(client, "embedclf_tokens_total")
            assert tokens > 0
            (first,) = source.embedders
            spent = first.usage.dollars
            save("new ", embedder="aimlapi:text-embedding-3-large")
            source._settings["max_cost"] = spent
            assert client.post("/reload").is_success
            assert count(client, "embedclf_tokens_total") == tokens
            assert ask(client, TEXT).status_code == 503


class TestInFlight:
    def test_a_request_ends_with_the_model_that_it_began_with(self, api: AimlapiServer):
        """While the new one answers those that come later; the threads of the old one end with it."""
        save("old ", embedder="aimlapi")
        come, go = threading.Semaphore(0), threading.Event()
        before = set(threading.enumerate())

        def hold(request: Request) -> None:
            come.release()
            assert go.wait(PATIENCE)

        with served(retries=0) as client, ThreadPoolExecutor(2) as pool:
            save("new ", embedder="aimlapi")
            api.fault = hold
            early = pool.submit(label, client)
            assert come.acquire(timeout=PATIENCE)
            assert client.post("/reload").is_success
            late = pool.submit(label, client)
            assert come.acquire(timeout=PATIENCE)
            go.set()
            assert (early.result(), late.result()) == ("old refund", "new refund")

            def threads() -> int:
                gc.collect()
                return sum(thread.name.startswith("embedclf") for thread in {*threading.enumerate()} - before)

            wait_until(lambda: threads() <= 1)


@pytest.mark.slow
class TestSignal:
    def test_sighup_reloads(self):
        """What is wrong is in the log, and the old model goes on."""
        save("old ")
        with Process("-m", PATH) as process:
            assert label(process.client) == "old refund"
            save("new ")
            process.signal(signal.SIGHUP)
            wait_until(lambda: any("reloaded model.safetensors (SHA-256 " in line for line in process.said))
            assert label(process.client) == "new refund"
            PATH.write_bytes(b"broken")
            process.signal(signal.SIGHUP)
            wait_until(lambda: any("cannot reload; still serving" in line for line in process.said))
            assert label(process.client) == "new refund"
            process.signal(signal.SIGTERM)
            assert process.end()[0] == 0

    def test_the_end_of_its_terminal_ends_it(self, model: Path):
        """It gets the same signal then."""
        pty = pytest.importorskip("pty")
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvp(sys.executable, [sys.executable, "-m", "embedclf", "serve", "-m", str(model), "--port", "0"])
        said = b""

        def wait_for(pattern: bytes) -> re.Match[bytes]:
            nonlocal said
            while not (found := re.search(pattern, said)):
                assert select.select([terminal], [], [], PATIENCE)[0], said
                said += os.read(terminal, 1_000)
            return found

        # The line may be wrapped anywhere between two words.
        found = wait_for(rb"\sat\s+(http://[\w.:]+)\s")
        with client_of(found[1].decode()) as client:
            assert client.get("/health").is_success
        os.kill(pid, signal.SIGHUP)
        wait_for(b"reloaded")
        os.close(terminal)  # hangs up
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
