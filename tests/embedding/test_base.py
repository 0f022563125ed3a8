"""An embedder of one's own: a subclass of `embedclf.Embedder` with a spec and a method embed, and no more."""

import csv
import pickle
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pytest

import embedclf
from corpus import LABELS, TEXTS, write_csv
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.embedded_texts import EmbeddedTexts


class Letters(embedclf.Embedder):
    """Counts the letters of a text."""

    sizes: list[int] = []  # noqa: RUF012 - of all calls

    @property
    def spec(self) -> EmbedderSpec:
        return EmbedderSpec("own", "letters", 26)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.sizes.append(len(texts))
        counts = np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)
        counts[:, 0] += 1e-3
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


class Fussy(Letters):
    """Refuses some texts."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if refused := {n: "it is shouted" for n, text in enumerate(texts) if text.isupper()}:
            raise embedclf.TextError(refused)
        return super().embed(texts)


@pytest.fixture(scope="module")
def classifier() -> embedclf.TextClassifier:
    return embedclf.train(TEXTS, LABELS, embedder=Letters(), features="embedding", label_names=False)


def test_it_trains_saves_loads_and_predicts(classifier: embedclf.TextClassifier, tmp_path: Path):
    """It has to be passed again to load the model, and must be the same."""
    labels = classifier.predict(TEXTS)
    assert np.mean(np.array(labels) == LABELS) > 0.5
    classifier.save(tmp_path / "m.safetensors")
    assert embedclf.load(tmp_path / "m.safetensors", embedder=Letters()).predict(TEXTS) == labels
    with pytest.raises(embedclf.EmbedclfError, match="own:letters"):
        embedclf.load(tmp_path / "m.safetensors")


def test_it_is_cross_validated():
    """Each text embedded once."""
    Letters.sizes.clear()
    result = embedclf.cross_validate(TEXTS, LABELS, embedder=Letters(), features="embedding", folds=2)
    assert result.n_examples == 30
    assert sum(Letters.sizes) == 30


def test_a_file_goes_through_it_in_small_chunks(classifier: embedclf.TextClassifier, tmp_path: Path):
    """As for every embedder that runs in this process; a row that has no text has a reason."""
    rows = [(f"text {n}",) for n in range(4_500)]
    path = write_csv(tmp_path / "in.csv", [*rows, ('""',)], ("text",))
    Letters.sizes.clear()
    embedclf.predict_file(classifier, path, tmp_path / "out.csv")
    assert Letters.sizes == [4_096, 404]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == 4_501
    assert [row["error"] != "" for row in written[-2:]] == [False, True]
    assert all(row["predicted_label"] for row in written[:-1])


def test_what_it_refuses_has_a_reason():
    """And the other texts have their vectors."""
    vectors, reasons = Fussy().embed_partial(["a", "HELP", "", "b", "NO"])
    assert reasons == {1: "it is shouted", 2: reasons[2], 4: "it is shouted"}
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True, True, False, True]
    assert (vectors[[0, 3]] == Letters().embed(["a", "b"])).all()


def test_it_is_not_asked_for_nothing():
    """Where no text can be embedded, its method need not know what to make of none."""
    vectors, reasons = Letters().embed_partial(["", " "])
    assert vectors.shape == (2, 26)
    assert np.isnan(vectors).all()
    assert set(reasons) == {0, 1}
    assert Letters().embed_partial([])[0].shape == (0, 26)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (np.ones(2, np.float32), r"vectors must have shape \(n_texts, n_dimensions\), got \(2,\)"),
        (np.ones((3, 26), np.float32), "own:letters: got 2 texts but 3 vectors"),
        (np.full((2, 26), np.nan, np.float32), r"own:letters: vectors\[0\] is not finite, nor is 1 other row"),
    ],
    ids=["one number a text", "one too many", "not finite"],
)
def test_what_it_makes_is_checked(made: np.ndarray, fault: str, monkeypatch: pytest.MonkeyPatch):
    """Wherever its vectors are used."""
    monkeypatch.setattr(Letters, "embed", lambda self, texts: made)
    with pytest.raises(embedclf.EmbedderError, match=fault):
        Letters().embed_partial(["a", "b"])
    with pytest.raises(embedclf.EmbedderError, match=fault):
        _ = EmbeddedTexts(["a", "b"], embedder=Letters()).vectors


def test_a_refusal_of_no_text_is_raised(monkeypatch: pytest.MonkeyPatch):
    """And not asked about again and again."""

    def embed(self: Letters, texts: Sequence[str]) -> np.ndarray:
        raise embedclf.TextError({})

    monkeypatch.setattr(Letters, "embed", embed)
    with pytest.raises(embedclf.TextError):
        Letters().embed_partial(["a"])


def test_comparing_tells_it_as_free():
    """With its speed, and nothing paid."""
    compared = embedclf.compare(TEXTS, LABELS, embedders=[Letters()], features=["embedding"], folds=2)
    (mine,) = compared.candidates
    assert mine.embedder == "own:letters"
    assert (mine.dollars, mine.tokens) == (0.0, None)
    assert mine.ms_to_embed is not None
    assert mine.dimensions == 26


def test_it_answers_for_itself():
    """With the defaults of a model that runs in this process and costs nothing."""
    embedder = Letters()
    assert embedder.is_local
    assert not embedder.is_lexical
    assert not embedder.has_token_shares
    assert embedder.max_concurrency is None
    assert embedder.length_warning("a" * 100_000) is None
    assert embedder.split(3) is embedder.uncached() is embedder
    assert embedder.token_shares("a", np.ones(26)) is None
    estimate = embedder.estimate(["a", "a", "", "b"])
    assert (estimate.texts, estimate.unique, estimate.dollars, estimate.most_dollars) == (3, 2, 0.0, 0.0)
    embedder.check_cost(estimate)
    embedder.warm_up()
    assert embedder.usage.dollars == 0.0


def test_one_without_a_method_embed_cannot_be_made():
    """The error names what is missing."""

    class Half(embedclf.Embedder):
        @property
        def spec(self) -> EmbedderSpec:
            return EmbedderSpec("own", "half", 1)

    with pytest.raises(TypeError, match="embed"):
        Half()  # type: ignore[abstract]


def test_it_goes_to_other_processes(classifier: embedclf.TextClassifier, dataset: Path, tmp_path: Path):
    """Pickled, with its classifier."""
    assert pickle.loads(pickle.dumps(classifier)).predict(TEXTS) == classifier.predict(TEXTS)
    with joblib.parallel_config("loky", n_jobs=2):
        embedclf.predict_file(classifier, dataset, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["predicted_label"] for row in csv.DictReader(file)] == classifier.predict(TEXTS)


class TestLangChains:
    """Whether an ``Embeddings`` runs in this process, only its owner knows."""

    class Embeddings:
        sizes: list[int] = []  # noqa: RUF012

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            self.sizes.append(len(texts))
            return Letters().embed(texts).tolist()

    def test_it_is_said_by_a_keyword(self, tmp_path: Path):
        """By which files are read in small chunks, and comparing tells its speed."""
        local = embedclf.from_langchain(self.Embeddings(), is_local=True)
        remote = embedclf.from_langchain(self.Embeddings())
        assert (local.is_local, remote.is_local) == (True, False)
        assert pickle.loads(pickle.dumps(local)).is_local
        compared = embedclf.compare(TEXTS, LABELS, embedders=[local], features=["embedding"], folds=2)
        assert (compared.candidates[0].dollars, compared.candidates[0].ms_to_embed is None) == (0.0, False)

    @pytest.mark.parametrize(("provider", "is_local"), [("huggingface", True), ("ollama", False)])
    def test_a_provider_whose_models_run_here_is_local(
        self, provider: str, is_local: bool, monkeypatch: pytest.MonkeyPatch
    ):
        """Of LangChain's, huggingface's do."""
        langchain = pytest.importorskip("langchain.embeddings")
        monkeypatch.setattr(langchain, "init_embeddings", lambda model, provider: self.Embeddings())
        embedder = embedclf.open_embedder(f"{provider}:model")
        embedder.embed(["a text"])
        assert embedder.is_local is is_local
        assert (embedder.usage.requests, embedder.usage.dollars) == ((0, 0.0) if is_local else (1, None))

    def test_what_is_free_keeps_to_any_limit_in_dollars(self, monkeypatch: pytest.MonkeyPatch):
        """What a provider charges elsewhere, it does not say."""
        langchain = pytest.importorskip("langchain.embeddings")
        monkeypatch.setattr(langchain, "init_embeddings", lambda model, provider: self.Embeddings())
        assert embedclf.open_embedder("huggingface:model", max_cost=0.0).embed(["a"]).shape == (1, 26)
        with pytest.raises(embedclf.EmbedderError, match="ollama:model does not report what it charges, so"):
            embedclf.open_embedder("ollama:model", max_cost=0.0)
