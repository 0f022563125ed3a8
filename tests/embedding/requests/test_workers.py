"""Many requests under way at once: how many, how large, and what ends them."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import aimlapi_server
import embedclf
from aimlapi_server import AimlapiServer, Request, error
from corpus import LABELS, QUICK, TEXTS
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.requests.limiter import RequestLimiter
from embedclf.embedding.requests.workers import work_through

SMALL_MODEL = "aimlapi:text-embedding-3-small"


def sizes(api: AimlapiServer) -> list[int]:
    return sorted(len(request.body["input"]) for request in api.requests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_texts", "options", "expected"),
    [
        (1, {}, [1]),
        (32, {}, [32]),  # what is small goes in one request
        (33, {}, [1, 32]),
        (1_600, {}, [100] * 16),
        (1_600, {"concurrency": 4}, [400] * 4),
        (1_600, {"batch_size": 500}, [100, 500, 500, 500]),
        (5_000, {"concurrency": 1}, [904, 2_048, 2_048]),
    ],
)
def test_requests_are_as_large_as_fills_them(api: AimlapiServer, n_texts: int, options: dict, expected: list[int]):
    """From 32 to 2,048 texts, so that as many are under way as may be."""
    api.models = {"text-embedding-ada-002": 8}
    api.models["tiny"] = 8
    texts = [f"text {number}" for number in range(n_texts)]
    vectors = embedclf.open_embedder("aimlapi:tiny", **options).embed(texts)
    assert sizes(api) == expected
    wanted = np.stack([aimlapi_server.embed(text, "tiny", 8) for text in texts])
    np.testing.assert_allclose(vectors, wanted, atol=1e-6)


@pytest.mark.slow
def test_answers_stay_of_a_size(api: AimlapiServer):
    """By itself, no request asks for more than 16 MB at once: of 3,072 dimensions, 1,024 texts; told to, it does."""
    texts = [f"text {number}" for number in range(1_600)]
    for options, expected in (({}, [576, 1_024]), ({"batch_size": 1_500}, [100, 1_500])):
        api.reset()
        embedclf.open_embedder("aimlapi:text-embedding-3-large", concurrency=1, **options).embed(texts)
        assert sizes(api) == expected


def test_one_request_finds_out_what_ails_all(api: AimlapiServer):
    """A wrong key, an empty account: the others wait for a moment for the first answer."""
    api.fault = lambda request: error(429, "Free-tier limit: You've reached your free limit for the hour.")
    with pytest.raises(embedclf.EmbedderError, match="quota used up"):
        embedclf.open_embedder(SMALL_MODEL).embed([f"text {number}" for number in range(3_200)])
    assert api.n_requests == 1


def test_halves_of_a_batch_are_sent_together(api: AimlapiServer):
    """Though there was one request to begin with."""
    # None is answered before all of its size have come.
    together = {32: threading.Barrier(2), 16: threading.Barrier(4), 8: threading.Barrier(8)}

    def fault(request: Request) -> aimlapi_server.Response | None:
        with suppress(KeyError, threading.BrokenBarrierError):
            together[len(request.texts)].wait(30)
        return error(400, "flagged") if any("BAD" in text for text in request.texts) else None

    api.fault = fault
    texts = [f"{'BAD' if number % 8 == 0 else 'text'} {number}" for number in range(64)]
    _, reasons = embedclf.open_embedder(SMALL_MODEL, batch_size=64).embed_partial(texts)
    assert list(reasons) == list(range(0, 64, 8))
    assert not any(barrier.broken for barrier in together.values())


def test_no_more_than_asked_are_under_way(api: AimlapiServer):
    """--concurrency is the most, and it is reached, each time."""
    together = threading.Barrier(5)

    def meet(request: Request) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(30)

    api.fault = meet
    api.delay = 0.05  # in which a sixth would come
    embedclf.open_embedder(SMALL_MODEL, concurrency=5, batch_size=4).embed([f"text {i}" for i in range(80)])
    assert not together.broken
    assert (api.n_requests, api.most_at_once) == (20, 5)


@pytest.mark.slow
def test_a_server_that_allows_eight_loses_none(api: AimlapiServer):
    """Asked by 32 at once: the limit is halved, and grows again; every text gets its vector."""
    api.models["tiny"] = 8
    api.max_concurrent, api.delay = 8, 0.02

    def until_one_is_refused(request: Request) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end and all(one.status != 429 for one in api.requests):
            time.sleep(0.01)

    api.fault = until_one_is_refused
    texts = [f"text {number}" for number in range(900)]
    embedder = embedclf.open_embedder("aimlapi:tiny", concurrency=32, batch_size=5)
    wanted = np.stack([aimlapi_server.embed(text, "tiny", 8) for text in texts])
    np.testing.assert_allclose(embedder.embed(texts), wanted, atol=1e-6)
    assert sorted(api.texts_sent) == sorted(texts)
    refused = sum(request.status == 429 for request in api.requests)
    assert 0 < refused < 100
    assert embedder.usage.requests == api.n_requests == 180 + refused


class TestGate:
    """How the limit moves."""

    def test_it_is_halved_once_for_all_that_were_under_way(self):
        """Not once for each of them."""
        limiter = RequestLimiter(32)
        began = time.monotonic()
        assert [limiter.slow_down(began, 0.0) for _ in range(24)] == [True] + [False] * 23
        assert limiter.limit == 16
        limiter.slow_down(time.monotonic(), 0.0)
        assert limiter.limit == 8

    def test_it_never_falls_below_one_nor_rises_above_the_most(self):
        """Whatever happens."""
        limiter = RequestLimiter(4)
        for _ in range(10):
            limiter.slow_down(time.monotonic(), 0.0)
        assert limiter.limit == 1
        for _ in range(100):
            limiter.speed_up(time.monotonic())
        assert limiter.limit == 4

    def test_it_grows_by_one_for_a_round_of_answers(self):
        """As many as the limit is."""
        limiter = RequestLimiter(32)
        limiter.slow_down(time.monotonic(), 0.0)
        for _ in range(17):
            limiter.speed_up(time.monotonic())
        assert limiter.limit == 17

    def test_slow_answers_halve_it_once_some_did_not_come_in_time(self):
        """And not before: a server may be slow and yet answer many at once."""
        limiter = RequestLimiter(8)
        limiter.speed_up(time.monotonic(), is_slow=True)
        assert limiter.limit == 8
        limiter.note_late(time.monotonic(), 0.0)
        began = time.monotonic()
        for _ in range(3):
            limiter.speed_up(began, is_slow=True)
        assert limiter.limit == 2

    def test_retry_after_holds_all(self):
        """No slot before the time, and those that waited do not come all at once."""
        limiter = RequestLimiter(8)
        started = time.monotonic()
        limiter.slow_down(started, 0.4)
        came: list[float] = []

        def wait() -> None:
            with limiter.slot():
                came.append(time.monotonic() - started)

        threads = [threading.Thread(target=wait) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert min(came) >= 0.4
        assert max(came) - min(came) > 0.005


def test_no_job_is_lost():
    """What ends a thread is raised where it is waited for, whatever it is."""

    def work(job: int) -> list[int]:
        if job == 3:
            raise SystemExit("the third")
        return []

    with pytest.raises(SystemExit, match="the third"):
        work_through(list(range(10)), work, 2)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_ctrl_c_keeps_what_was_paid_for(api: AimlapiServer, tmp_path: Path):
    """No new request starts, those under way are kept, and the exit code is 130."""
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(3_200)))
    api.delay = 0.3
    command = [sys.executable, "-m", "embedclf", "train", str(path), "--batch-size", "32", "--concurrency", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while api.n_requests < 10:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        asked = api.n_requests
        started = time.monotonic()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - started < 10
    assert api.n_requests <= asked + 1  # one may have been on its way
    assert said.endswith("Interrupted.\n")
    assert "Stopping; waiting for " in said
    assert "Traceback" not in said
    assert VectorCache().info()[0].n_vectors == len(api.texts_sent) >= 9 * 32


@pytest.mark.slow
@pytest.mark.exhaustive
def test_ctrl_c_does_not_wait_for_a_server_that_hangs(api: AimlapiServer, tmp_path: Path):
    """Three seconds are enough."""
    path = tmp_path / "many.csv"
    path.write_text("text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(320)))
    api.delay = 60
    command = [sys.executable, "-m", "embedclf", "train", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while api.n_requests < 10:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.endswith("Interrupted.\n")


@pytest.mark.slow
def test_a_run_that_was_stopped_does_not_try_again(api: AimlapiServer):
    """A thread that waits to try again, when another meets an error, sends nothing more."""

    def fault(request: Request) -> aimlapi_server.Response:
        if "text 0" in request.texts:
            time.sleep(0.2)
            return error(401, "no")
        return error(503, "busy")

    api.fault = fault
    with pytest.raises(embedclf.EmbedderError, match="returned 401"):
        embedclf.open_embedder(SMALL_MODEL, batch_size=1).embed([f"text {number}" for number in range(8)])
    asked = api.n_requests
    time.sleep(2.5)
    assert api.n_requests == asked == 8


@pytest.mark.slow
@pytest.mark.exhaustive
def test_memory_beyond_the_vectors_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """With a duplicate among many texts, the vectors are not copied; from the server, and then from the cache."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    texts = [f"text {number}" for number in range(6_000)]
    texts[-1] = texts[0]
    command = [sys.executable, aimlapi_server.__file__]
    # Its memory is not to be counted, so it is a process of its own.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdin
        url = server.stdout.readline().strip()
        embedder = embedclf.open_embedder(SMALL_MODEL, base_url=url, cache=True, concurrency=1, batch_size=50)
        embedder.embed(["one that loads the client"])
        for _ in range(2):
            tracemalloc.start()
            vectors = embedder.embed(texts)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            np.testing.assert_array_equal(vectors[-1], vectors[0])
            assert vectors.nbytes == 6_000 * 1536 * 4
            assert peak < vectors.nbytes + 30e6  # a copy would be 37 million more
        server.stdin.close()


class TestInAService:
    """One classifier for all threads, loops and processes."""

    @pytest.fixture
    def classifier(self, api: AimlapiServer) -> embedclf.TextClassifier:
        return embedclf.train(TEXTS, LABELS, **QUICK)

    def test_awaited(self, classifier: embedclf.TextClassifier, api: AimlapiServer):
        """Many at once, in one event loop after another, give what `predict` gives."""
        asked = [[f"my parcel {number}", f"my refund {number}"] for number in range(30)]

        async def main() -> list:
            return await asyncio.gather(*(classifier.apredict(texts) for texts in asked))

        first = asyncio.run(main())
        assert first == asyncio.run(main()) == [classifier.predict(texts) for texts in asked]

        async def probabilities() -> np.ndarray:
            return await classifier.apredict_proba(asked[0])

        np.testing.assert_allclose(asyncio.run(probabilities()), classifier.predict_proba(asked[0]), atol=1e-6)

    def test_awaiting_does_not_hold_up_the_loop(self, classifier: embedclf.TextClassifier, api: AimlapiServer):
        """Others go on while a request is under way; a cancelled call comes back at once."""
        api.delay = 0.5

        async def main() -> int:
            task = asyncio.create_task(classifier.apredict(["a slow one"]))
            ticks = 0
            while not task.done():
                await asyncio.sleep(0.01)
                ticks += 1
            task = asyncio.create_task(classifier.apredict(["another slow one"]))
            await asyncio.sleep(0.05)
            task.cancel()
            started = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - started < 0.3
            return ticks

        assert asyncio.run(main()) >= 10

    def test_a_cancelled_call_sends_nothing_more(self, api: AimlapiServer):
        """What nobody waits for any more is not paid for."""
        classifier = embedclf.train(
            TEXTS, LABELS, embedder=embedclf.open_embedder(SMALL_MODEL, concurrency=4, batch_size=32)
        )
        api.delay = 0.1
        api.reset()
        texts = [f"text {number}" for number in range(3_200)]

        async def main() -> None:
            task = asyncio.create_task(classifier.apredict(texts))
            while api.n_requests < 2:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        asked = api.n_requests
        time.sleep(0.5)
        # Of the four that may be under way together, some may have reached the server since it was counted.
        assert api.n_requests <= asked + 4 < 12

    def test_a_new_text_is_paid_for_once(self, classifier: embedclf.TextClassifier, api: AimlapiServer):
        """However many threads ask for it at the same time."""
        api.delay = 0.2
        api.reset()
        answers: list = []
        asked = ["my parcel is new", "so is my refund"]
        threads = [threading.Thread(target=lambda: answers.append(classifier.predict(asked))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [["delivery", "refund"]] * 16
        assert sorted(api.texts_sent) == sorted(asked)

    def test_a_cancelled_call_keeps_what_is_under_way(self, classifier: embedclf.TextClassifier, api: AimlapiServer):
        """And another call for the same text waits for it."""
        api.delay = 0.5
        api.reset()

        async def main() -> list:
            first = asyncio.create_task(classifier.apredict(["my parcel is new"]))
            while not api.texts_sent:
                await asyncio.sleep(0.01)
            second = asyncio.create_task(classifier.apredict(["my parcel is new"]))
            await asyncio.sleep(0.1)
            first.cancel()
            return await second

        assert asyncio.run(main()) == ["delivery"]
        assert api.texts_sent == ["my parcel is new"]

    @pytest.mark.slow
    def test_a_text_of_a_long_work_is_waited_for_no_longer_than_it_takes(self, api: AimlapiServer):
        """What is in the cache already is taken from it."""
        api.delay = 0.2
        embedder = embedclf.open_embedder(SMALL_MODEL, cache=True, batch_size=1, concurrency=1)
        texts = [f"text {number}" for number in range(30)]
        work = threading.Thread(target=embedder.embed, args=(texts,))
        work.start()
        while api.n_requests < 3:
            time.sleep(0.01)
        embedder.embed(texts[:1])
        assert work.is_alive()
        work.join()
        assert sorted(api.texts_sent) == sorted(texts)

    def test_what_cannot_be_kept_is_not_waited_for(self, api: AimlapiServer, tmp_path: Path):
        """With a cache that cannot be written, each asks for itself, all at once."""
        (tmp_path / "cache").write_text("not a folder")
        embedder = embedclf.open_embedder(SMALL_MODEL, cache=VectorCache(tmp_path / "cache"))
        embedder.embed(["something"])
        api.reset()
        # None is answered before all have come.
        together = threading.Barrier(8)

        def meet(request: Request) -> None:
            together.wait(30)

        api.fault = meet
        threads = [threading.Thread(target=embedder.embed, args=(["hot"],)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not together.broken
        assert (api.n_requests, api.most_at_once) == (8, 8)

    def test_a_text_that_one_thread_cannot_have_is_asked_for_by_the_next(
        self, classifier: embedclf.TextClassifier, api: AimlapiServer
    ):
        """An error of one call is not another's."""
        errors: list = []

        def fault(request: Request) -> aimlapi_server.Response | None:
            if request.number == asked:
                time.sleep(0.3)
                return error(401, "no")
            return None

        asked = api.n_requests
        api.fault = fault

        def work() -> None:
            try:
                assert classifier.predict(["my parcel is new"]) == ["delivery"]
            except embedclf.EmbedderError as failure:
                errors.append(failure)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(errors) == 1
        assert api.texts_sent.count("my parcel is new") == 1

    def test_awaited_errors(self, classifier: embedclf.TextClassifier):
        """They are those of `predict`."""
        with pytest.raises(embedclf.TextError, match="the text is empty"):
            asyncio.run(classifier.apredict([""]))
        with pytest.raises(TypeError, match="not a single str"):
            asyncio.run(classifier.apredict("a text"))  # type: ignore[arg-type]

    @pytest.mark.slow
    def test_32_threads(self, classifier: embedclf.TextClassifier, api: AimlapiServer):
        """Give the answers of one; together they have no more requests under way than one."""
        api.delay = 0.02
        asked = [[f"parcel {number}", f"password {number}", f"refund {number}"] for number in range(96)]
        answers: dict[int, list] = {}

        def work(start: int) -> None:
            for number in range(start, 96, 32):
                answers[number] = classifier.predict(asked[number])

        threads = [threading.Thread(target=work, args=(start,)) for start in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answers[number] for number in range(96)] == [["delivery", "password", "refund"]] * 96
        assert api.most_at_once <= 16

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_fork_in_the_middle_of_a_request(self, classifier: embedclf.TextClassifier, api: AimlapiServer):
        """The child asks and answers for itself, whatever locks its parent's threads held."""
        api.delay = 0.3
        busy = [threading.Thread(target=classifier.predict, args=([f"parcel {number}"],)) for number in range(24)]
        for thread in busy:
            thread.start()
        time.sleep(0.1)
        if (child := os.fork()) == 0:
            right = classifier.predict(["my parcel in the child"]) == ["delivery"]
            os._exit(0 if right else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for thread in busy:
            thread.join()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_fork_does_not_enter_what_its_parent_spent(self, api: AimlapiServer):
        """The ledger has each token once."""
        embedder = embedclf.open_embedder(SMALL_MODEL, cache=True)
        embedder.embed(["one", "two", "three"])
        for _ in range(10):
            embedder.embed(["one"])
        if (child := os.fork()) == 0:
            embedder.embed(["four"])
            os._exit(0)
        os.waitpid(child, 0)
        del embedder
        (total,) = VectorCache().spending("model").rows
        assert (total.usage.requests, total.usage.from_cache) == (2, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency must be a whole number from 1 to 1024, got 0"),
        ({"batch_size": 4_000}, "batch_size must be a whole number from 1 to 2048, got 4000"),
        ({"retries": -1}, "retries must be a whole number from 0 to 1000, got -1"),
        ({"concurrency": 2.5}, "concurrency must be a whole number from 1 to 1024, got 2.5"),
        ({"timeout": 0}, "timeout must be a number from 0.001 to 86400, got 0"),
        ({"max_cost": -1}, "max_cost must be a number from 0, got -1"),
    ],
)
def test_settings_that_cannot_be(options: dict, message: str):
    """Said when the embedder is opened."""
    with pytest.raises(embedclf.EmbedderError, match=f"^{message}$"):
        embedclf.open_embedder(SMALL_MODEL, **options)


def test_the_command_line_has_the_same_defaults():
    """They stand in two places, so that --help loads nothing."""
    from embedclf.cli.commands.train import command
    from embedclf.embedding.aimlapi.settings import CONCURRENCY, RETRIES, SECONDS

    defaults = {parameter.name: parameter.default for parameter in command.params}
    assert (defaults["concurrency"], defaults["retries"], defaults["timeout"]) == (CONCURRENCY, RETRIES, SECONDS)
