"""What a model is told besides the texts: its task and a prompt, and that both belong to what its vectors are."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

import aimlapi_server
import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import LABELS, QUICK, QUICKLY, TEXTS
from embedclf.classifier.model_file import read_model
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli

MODEL = "text-multilingual-embedding-002"
GOOGLE = f"aimlapi:{MODEL}"
QWEN = "aimlapi:alibaba/qwen-text-embedding-v4"
QUERY = "Instruct: Find the topic\nQuery: "


def told(api: AimlapiServer) -> set[str | None]:
    """Return the tasks of the requests that were answered."""
    return {request.body.get("task_type") for request in api.requests if request.status == 200}


def expected(texts: list[str], task: str | None) -> np.ndarray:
    return np.stack([aimlapi_server.embed(text, MODEL, 768, None, task) for text in texts])


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model trained with Google's, as the command line trains it."""
    path = tmp_path_factory.mktemp("google") / "google.safetensors"
    with AimlapiServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMLAPI_BASE_URL", server.base_url)
        patch.setenv("AIMLAPI_API_KEY", "test-key")
        embedclf.train(TEXTS, LABELS, embedder=embedclf.open_embedder(GOOGLE), **QUICK).save(path)
        assert told(server) == {"CLASSIFICATION"}
    return path


COMMANDS = {
    "train": "CLASSIFICATION",
    "cross-validate": "CLASSIFICATION",
    "learning-curve": "CLASSIFICATION",
    "compare": "CLASSIFICATION",
    "check": "CLASSIFICATION",
    "search FILE parcel": "CLASSIFICATION",
    "recommend --row 3": "CLASSIFICATION",
    "cluster": "CLUSTERING",
    "map --json": "CLUSTERING",
    "cluster --task classification": "CLASSIFICATION",
    "search FILE parcel --task similarity": "SEMANTIC_SIMILARITY",
    "check --task semantic-similarity": "SEMANTIC_SIMILARITY",
    "recommend --row 3 --task SEMANTIC_SIMILARITY": "SEMANTIC_SIMILARITY",
    "train --task Clustering": "CLUSTERING",
    "map --json --task none": None,
}


@pytest.mark.parametrize(("command", "task"), COMMANDS.items(), ids=COMMANDS.keys())
def test_each_command_tells_the_model_what_vectors_are_for(
    cli: Cli, api: AimlapiServer, dataset: Path, command: str, task: str | None
):
    """The first request shows it: nothing is computed here."""
    api.fault = lambda request: error(401, "no")
    name, *words = command.split()
    words = [dataset if word == "FILE" else word for word in words]
    done = cli(name, *([] if dataset in words else [dataset]), *words, "--embedder", GOOGLE)
    assert done.exit_code == 1, done.output
    assert api.requests[-1].body.get("task_type") == task


def test_one_file_is_paid_for_once(cli: Cli, api: AimlapiServer, dataset: Path):
    """Vectors for a classifier serve search and, if it is said, clustering; those for another task are others."""
    trained = cli("train", dataset, "--embedder", GOOGLE, *QUICKLY, "-o", "m.safetensors")
    assert "(768 dimensions; task: classification)" in trained.stderr
    assert sorted(api.texts_sent) == sorted(TEXTS)
    np.testing.assert_allclose(
        embedclf.open_embedder(GOOGLE, cache=True).embed(TEXTS), expected(TEXTS, "CLASSIFICATION"), atol=1e-6
    )
    api.reset()
    assert cli("search", dataset, "a lost parcel", "--embedder", GOOGLE).exit_code == 0
    assert api.texts_sent == ["a lost parcel"]
    api.reset()
    clustered = cli("cluster", dataset, "--embedder", GOOGLE)
    assert "(768 dimensions; task: clustering)" in clustered.stderr
    hint = "The vectors for classification are all in the cache: --task classification would send nothing.\n"
    assert hint in clustered.stderr
    assert told(api) == {"CLUSTERING"}
    assert sorted(api.texts_sent) == sorted(TEXTS)
    api.reset()
    for again in (["--task", "classification"], []):
        assert hint not in cli("cluster", dataset, "--embedder", GOOGLE, *again).stderr
    assert cli("map", dataset, "-m", "m.safetensors", "--json").exit_code == 0
    assert not api.requests
    info = [" ".join(line.split()) for line in cli("cache", "info").stdout.splitlines()]
    assert info[2].startswith(f"{GOOGLE} at {api.base_url} 61 ")
    assert [line.split()[:3] for line in info[3:]] == [["task:", "classification", "31"], ["task:", "clustering", "30"]]
    described = [json.loads(path.read_text()) for path in VectorCache().folder.glob("vectors/*/model.json")]
    assert sorted(one["task"] for one in described) == ["classification", "clustering"]


def test_python_tells_the_same(api: AimlapiServer):
    """A function that is given a name tells what it is for; an embedder that is open keeps its own task."""
    api.fault = lambda request: error(401, "no")
    calls: list[tuple[Callable[[], Any], str | None]] = [
        (lambda: embedclf.train(TEXTS, LABELS, embedder=GOOGLE), "CLASSIFICATION"),
        (lambda: embedclf.cluster(TEXTS, embedder=GOOGLE), "CLUSTERING"),
        (lambda: embedclf.text_map(TEXTS, embedder=GOOGLE), "CLUSTERING"),
        (lambda: embedclf.search(TEXTS, "x", embedder=GOOGLE), "CLASSIFICATION"),
        (
            lambda: embedclf.cluster(embedclf.EmbeddedTexts(TEXTS, embedder=embedclf.open_embedder(GOOGLE))),
            "CLASSIFICATION",
        ),
        (lambda: embedclf.EmbeddingTransformer(GOOGLE).fit(TEXTS), "CLASSIFICATION"),
        (lambda: embedclf.EmbeddingClassifier(GOOGLE, task="clustering").fit(TEXTS, LABELS), "CLUSTERING"),
        (lambda: embedclf.open_embedder(GOOGLE, task="none").embed(TEXTS), None),
        (lambda: embedclf.open_embedder("aimlapi:text-embedding-3-small").embed(TEXTS), None),
    ]
    for call, task in calls:
        with pytest.raises(embedclf.EmbedderError, match="returned 401"):
            call()
        assert api.requests[-1].body.get("task_type") == task


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        GOOGLE,
        {"task": "retrieval"},
        "unknown task 'retrieval': it must be classification, clustering, similarity or none",
    ),
    (
        "aimlapi:text-embedding-3-small",
        {"task": "classification"},
        "aimlapi:text-embedding-3-small does not take a task: leave out --task (task=)",
    ),
    ("wordllama", {"task": "clustering"}, "wordllama does not take a task: leave out --task (task=)"),
    ("words", {"task": "similarity"}, "words does not take a task: leave out --task (task=)"),
    ("ollama:nomic", {"task": "clustering"}, "ollama:nomic does not take a task: leave out --task (task=)"),
    (
        "wordllama",
        {"prompt": "query: "},
        "wordllama cannot be given a prompt: it averages the words of a text and follows no instruction. Leave out "
        "--prompt (prompt=)",
    ),
    (
        "words",
        {"prompt": "query: "},
        "words cannot be given a prompt: its words would count as words of each text. Leave out --prompt (prompt=)",
    ),
    (QWEN, {"prompt": "\ud800"}, "the prompt is not valid Unicode: surrogates not allowed"),
]


@pytest.mark.parametrize(("name", "asked", "message"), WRONG)
def test_what_cannot_be_told_is_refused(api: AimlapiServer, name: str, asked: dict[str, Any], message: str):
    """In words that say what to do; what says nothing is taken everywhere."""
    with pytest.raises(embedclf.EmbedderError, match=f"^{re.escape(message)}$"):
        embedclf.open_embedder(name, **asked)
    if not name.startswith("ollama"):
        assert embedclf.open_embedder(name, task="none", prompt="").spec.told == ""


def test_options_without_an_embedder(cli: Cli, api: AimlapiServer, dataset: Path, google: Path):
    """They have nothing to apply to."""
    done = cli("train", dataset, "--features", "words", "--task", "none", "--prompt", "x")
    assert "Error: --features words uses no embedder: remove --task and --prompt.\n" in done.stderr
    assert "No such option '--task'" in cli("predict", "a parcel", "--task", "none").stderr
    wrong = cli("train", dataset, "--task", "retrieval")
    choices = "'classification', 'clustering', 'similarity', 'none'"
    assert f"Invalid value for '--task': 'retrieval' is not one of {choices}." in wrong.stderr


def test_a_server_that_refuses_the_task_ends_the_run(api: AimlapiServer, google: Path, monkeypatch: pytest.MonkeyPatch):
    """Without it the vectors would be others: it is never left out in silence, as other fields are."""
    api.fault = lambda request: (
        error(400, "Unrecognized request argument supplied: task_type") if "task_type" in request.body else None
    )
    told_what_to_do = (
        "; the task 'classification' is not left out, since the vectors would be different. To train without a task, "
        "use --task none (task='none')"
    )
    with pytest.raises(embedclf.EmbedderError) as raised:
        embedclf.open_embedder(GOOGLE).embed(TEXTS)
    assert "returned 400: “Unrecognized request argument supplied: task_type”" in str(raised.value)
    assert str(raised.value).endswith(told_what_to_do)
    assert raised.value.status == 400
    assert not told(api)
    np.testing.assert_allclose(
        embedclf.open_embedder(GOOGLE, task="none").embed(TEXTS), expected(TEXTS, None), atol=1e-6
    )


def test_a_model_that_is_not_listed_is_told_only_what_is_given(api: AimlapiServer):
    """Another server may pass it on to a model that takes it; this one does not."""
    api.models["gemini-embedding-001"] = 8
    embedder = embedclf.open_embedder("aimlapi:gemini-embedding-001")
    embedder.embed(["a"])
    with pytest.raises(embedclf.EmbedderError, match=r"Unrecognized key.* use --task none"):
        embedclf.open_embedder("aimlapi:gemini-embedding-001", task="clustering").embed(["a"])
    assert [request.body.get("task_type") for request in api.requests] == [None, "CLUSTERING"]
    assert embedder.spec.task is None


class TestFiles:
    """What a file says of the task and the prompt, and who may use it."""

    def test_a_model_is_opened_with_its_task(self, api: AimlapiServer, google: Path, monkeypatch: pytest.MonkeyPatch):
        """And no other embedder can be used with it."""
        monkeypatch.setattr("embedclf.classifier.loading.read_model", lambda path: _at(api, path))
        classifier = embedclf.load(google)
        assert classifier.embedder.spec.task == "classification"
        assert classifier.to_dict()["embedder"]["task"] == "classification"
        assert "prompt" not in classifier.to_dict()["embedder"]
        assert f"features    {GOOGLE} (task: classification)\n" in str(classifier)
        embedclf.load(google, embedder=GOOGLE)
        for asked, message in (
            ({"task": "clustering"}, f"{GOOGLE} (task: clustering): open it with task='classification'"),
            ({"task": "none"}, f"{GOOGLE} (no task, no prompt): open it with task='classification'"),
            ({"prompt": "x: "}, f"{GOOGLE} (task: classification, prompt: 'x: '): open it with prompt=''"),
        ):
            with pytest.raises(embedclf.ModelFileError) as raised:
                embedclf.load(google, embedder=embedclf.open_embedder(GOOGLE, **asked))
            was = f"was trained with {GOOGLE} (task: classification), but the embedder is "
            assert str(raised.value) == f"{google} {was}{message}"
        with pytest.raises(TypeError, match=r"^the task is the model file's: do not pass task=$"):
            embedclf.load(google, task="clustering")
        others = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=embedclf.open_embedder(GOOGLE, task="clustering"))
        with pytest.raises(embedclf.EmbedderError, match=r"with \S+ \(task: clustering\), but vectors from \S+ \(task"):
            embedclf.evaluate(classifier, others)

    def test_only_what_is_told_needs_a_new_format(self, api: AimlapiServer, google: Path):
        """Files of before have neither task nor prompt, are written as they were, and are used without."""
        assert rb"\"format\": 3" in google.read_bytes()
        embedder = embedclf.open_embedder(GOOGLE, task="none")
        embedclf.train(TEXTS, LABELS, embedder=embedder, **QUICK).save("old.safetensors")
        assert rb"\"format\": 1" in Path("old.safetensors").read_bytes()
        assert not re.search(rb'"(task|prompt)\\"', Path("old.safetensors").read_bytes())
        api.reset()
        assert embedclf.load("old.safetensors").predict(["a lost parcel"]) == ["delivery"]
        assert told(api) == {None}

    def test_words_are_those_of_the_text(self, api: AimlapiServer):
        """The prompt is sent before each text, but its words are no features; a file with words and one without."""
        embedder = embedclf.open_embedder(QWEN, prompt=QUERY)
        settings = {**QUICK, "features": "both"}
        classifier = embedclf.train(TEXTS, LABELS, embedder=embedder, **settings)
        assert {text[: len(QUERY)] for text in api.texts_sent} == {QUERY}
        plain = embedclf.train(TEXTS, LABELS, embedder="words", **{**QUICK, "features": "words"})
        mine, theirs = classifier.model.words, plain.model.words
        assert mine is not None
        assert theirs is not None
        np.testing.assert_array_equal(mine.vocabulary.hashes, theirs.vocabulary.hashes)
        classifier.save("m.safetensors")
        assert read_model("m.safetensors")[1].embedder.prompt == QUERY
        api.reset()
        loaded = embedclf.load("m.safetensors")
        assert loaded.predict(TEXTS) == classifier.predict(TEXTS)
        assert loaded.embedder.spec == classifier.card.embedder

    def test_copies_keep_both(self, api: AimlapiServer):
        """Pickled, shared among processes, without a cache, and stored by skops."""
        embedder = embedclf.open_embedder(GOOGLE, task="similarity", prompt="x: ", cache=True)
        estimator = embedclf.EmbeddingClassifier(embedder, features="embedding", regularization=1.0, label_names=False)
        estimator.fit(TEXTS[:20], LABELS[:20])
        stored = skops.io.dumps(estimator)
        again = skops.io.loads(stored, trusted=skops.io.get_untrusted_types(data=stored))
        copies = [pickle.loads(pickle.dumps(embedder)), embedder.split(2), embedder.uncached(), again._opened()]
        for copy in copies:
            assert copy.spec.described == f"{GOOGLE} (task: similarity, prompt: 'x: ')"
        api.reset()
        assert list(again.predict(TEXTS[:3])) == list(estimator.predict(TEXTS[:3]))
        embedder.uncached().embed(["a"])
        assert api.texts_sent == ["x: a"]
        assert told(api) == {"SEMANTIC_SIMILARITY"}

    def test_folders_of_models_that_are_told_nothing_keep_their_names(self, tmp_path: Path):
        """So no vector of before is lost; what is told has a folder of its own."""
        cache = VectorCache(tmp_path)
        spec = EmbedderSpec("aimlapi", "m", None, "https://api.example.com/v1")
        assert cache.of_model(spec).folder.path.name == "m-af535ee5c59d"
        assert cache.of_model(spec, 256).folder.path.name == "m-1567584d2efd"
        told = [{"task": "clustering"}, {"task": "similarity"}, {"prompt": "similarity"}, {"prompt": "similarity "}]
        specs = [spec, *(EmbedderSpec("aimlapi", "m", None, spec.endpoint, **one) for one in told)]
        assert len({cache.of_model(one, length).folder.path for one in specs for length in (None, 256)}) == 10


def _at(api: AimlapiServer, path: Path) -> Any:
    """Return a model as if it had been trained at this server."""
    from dataclasses import replace

    model, card = read_model(path)
    return model, replace(card, embedder=replace(card.embedder, endpoint=api.base_url))


class TestPrompts:
    """An instruction before each text."""

    def test_it_is_sent_as_it_is_and_counted(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """In the estimate, the tokens and what the cache saves."""
        options = ("--embedder", "aimlapi:text-embedding-3-small", "--prompt", QUERY, *QUICKLY)
        estimate = json.loads(cli("train", dataset, *options, "--dry-run", "--json").stdout)
        sizes = [len((QUERY + text).encode()) for text in TEXTS]
        assert estimate["estimate"]["tokens"] == sum(-(-size // 4) for size in sizes)
        trained = cli("train", dataset, *options, "-o", "m.safetensors")
        assert "(1536 dimensions; prompt: 'Instruct: Find the topic\\nQuery: ')" in trained.stderr
        assert sorted(api.texts_sent) == sorted(QUERY + text for text in TEXTS)
        assert {request.body["dimensions"] for request in api.requests} == {1536}
        api.reset()
        predicted = cli("predict", "a lost parcel", TEXTS[0], "-m", "m.safetensors", "--json")
        assert api.texts_sent == [f"{QUERY}a lost parcel"]
        assert "Query" not in predicted.stdout
        usage = embedclf.load("m.safetensors", cache=True).embedder
        usage.embed(TEXTS)
        assert usage.usage.saved_tokens == sum(-(-size // 4) for size in sizes)

    def test_each_piece_of_a_long_text_gets_it(self, api: AimlapiServer):
        """And fits with it; nothing of the text is lost."""
        long = " ".join(f"word{number}" for number in range(5_000))
        vector = embedclf.open_embedder("aimlapi:text-embedding-3-small", prompt=QUERY).embed([long])
        pieces = [text for text in api.texts_sent if text != "hello"]  # which shows that the server works
        assert len(pieces) > 1
        assert {text[: len(QUERY)] for text in pieces} == {QUERY}
        assert "".join(sorted((text.removeprefix(QUERY) for text in pieces), key=long.index)) == long
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)

    def test_one_that_leaves_no_room_for_a_text(self, api: AimlapiServer):
        """Ends with a reason, not in ever smaller pieces."""
        embedder = embedclf.open_embedder("aimlapi:text-embedding-3-small", prompt="word " * 8_000)
        with pytest.raises(embedclf.TextError, match="maximum context length"):
            embedder.embed(["a parcel " * 30])
        assert len(api.requests) < 12

    def test_any_langchain_embeddings_takes_one(self):
        """By name as well as as an object, whose files are loaded with the prompt that they have."""

        class Lengths:
            seen: list[str] = []  # noqa: RUF012 - of all calls

            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                self.seen.extend(texts)
                return [[1.0, float(len(text))] for text in texts]

        embedder = embedclf.from_langchain(Lengths(), prompt="query: ")
        embedclf.train(TEXTS, LABELS, embedder=embedder, **QUICK).save("m.safetensors")
        assert {text[:7] for text in Lengths.seen} == {"query: "}
        Lengths.seen.clear()
        embedclf.load("m.safetensors", embedder=Lengths()).predict(["a"])
        assert Lengths.seen == ["query: a"]
        with pytest.raises(embedclf.ArgumentError, match=r"^nothing has changed: .* with \S+Lengths \(prompt: 'q"):
            embedclf.retrain("m.safetensors", TEXTS, LABELS, embedder=Lengths())
        again = embedclf.retrain("m.safetensors", TEXTS, LABELS, embedder=Lengths(), prompt="q: ", cache=False)
        assert (again.reason, again.new.name, again.old.name) == (
            None,
            "Lengths (prompt: 'q: ')",
            "Lengths (prompt: 'query: ')",
        )
        with pytest.raises(embedclf.ModelFileError, match=r"\(no task, no prompt\): open it with prompt='query: '$"):
            embedclf.load("m.safetensors", embedder=embedclf.from_langchain(Lengths()))
        with pytest.raises(TypeError, match="prompt needs an embedder's name"):
            embedclf.compare(TEXTS, LABELS, embedders=[embedder], prompts=["query: "])
        with pytest.raises(TypeError, match=r"^compare takes several: pass prompts=\[…\], not prompt=$"):
            embedclf.compare(TEXTS, LABELS, prompt="query: ")


def test_compare_takes_several(cli: Cli, api: AimlapiServer, dataset: Path):
    """An embedder that cannot be told is compared once, and each result says what its embedder was told."""
    given = (
        "--embedder",
        GOOGLE,
        "--embedder",
        "wordllama",
        "--features",
        "embedding",
        "--head",
        "centroid",
        "--folds",
        2,
    )
    asked = ("--task", "classification", "--task", "none", "--prompt", "", "--prompt", "query: ")
    dry = cli("compare", dataset, *given, *asked, "--dry-run")
    named = [
        f"{GOOGLE} (task: classification)",
        f"{GOOGLE} (task: classification, prompt: 'query: ')",
        GOOGLE,
        f"{GOOGLE} (prompt: 'query: ')",
    ]
    assert [line.split(": 30 rows")[0] for line in dry.stdout.splitlines()[:4]] == named
    assert dry.stdout.splitlines()[4] == "wordllama:l2_supercat: free (runs locally)"
    done = json.loads(cli("compare", dataset, *given, *asked[:4], "--json").stdout)
    assert {(one["embedder"], one["task"], one["prompt"]) for one in done["candidates"]} == {
        (GOOGLE, "classification", None),
        (GOOGLE, None, None),
        ("wordllama:l2_supercat", None, None),
    }
    assert told(api) == {"CLASSIFICATION", None}
    none = cli("compare", dataset, "--embedder", "wordllama", "--task", "clustering")
    assert none.stderr == "Error: wordllama does not take a task: leave out --task (task=)\n"


def test_an_interrupted_run_goes_on_with_the_same_task_only(google: Path):
    """The fingerprint of a run has the task, and that of a model without one is as before."""
    from dataclasses import replace

    from embedclf.prediction.resumable_run import _fingerprint

    model, card = read_model(google)
    prints = {
        _fingerprint(embedclf.TextClassifier(None, model, replace(card, embedder=replace(card.embedder, **told))))  # type: ignore[arg-type]
        for told in ({}, {"task": "clustering"}, {"task": None}, {"task": None, "prompt": "x"})
    }
    assert len(prints) == 4


def test_remarks_on_what_is_long_are_short():
    """A prompt is shown with both of its ends, without control characters."""
    spec = EmbedderSpec("aimlapi", "m", None, prompt="a" * 100 + "\x1b[31m" + "z" * 29)
    assert spec.described == f"aimlapi:m (prompt: '{'a' * 30}…m{'z' * 29}')"
    assert EmbedderSpec("aimlapi", "m", None, prompt="\x1b[31m").told == r"prompt: '\x1b[31m'"
