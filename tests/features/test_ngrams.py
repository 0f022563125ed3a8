"""Words beside the vector: how they are found and weighed, and what a classifier makes of them."""

import json
import logging
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from sklearn.feature_extraction.text import TfidfVectorizer

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, LABELS, TEXTS
from embedclf.data.corpus import read_corpus
from embedclf.features.ngrams import normalized, words_of
from embedclf.features.vocabulary import Vocabulary, count_ngrams
from embedclf.training import heads
from embedclf.training.inputs import Inputs
from running import Cli
from tampering import rewrite


def words(text: str) -> list[str]:
    text = normalized(text)
    found = words_of([text])
    return [text[start:end] for start, end in zip(found.starts, found.ends, strict=True)]


# What only words tell: the vectors are the same for all.
ON_WORDS = [f"{first} {second} please" for first in ("alpha", "beta") for second in "abcdefghij" for _ in range(3)]
OF_WORDS = [text.split()[0] for text in ON_WORDS]


@pytest.fixture(scope="module")
def on_words() -> embedclf.TextClassifier:
    """A classifier that uses words beside vectors."""
    return embedclf.train(TEXTS, LABELS, features="both")


@pytest.fixture
def both(on_words: embedclf.TextClassifier, tmp_path: Path) -> Path:
    """Its file."""
    on_words.save(tmp_path / "both.safetensors")
    return tmp_path / "both.safetensors"


class TestWords:
    """What a word is."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Where IS my parcel?", ["where", "is", "my", "parcel", "?"]),
            ("don't pay 12.50€!!", ["don", "'", "t", "pay", "12", ".", "50", "€", "!", "!"]),
            ("退款在哪里", ["退", "款", "在", "哪", "里"]),
            ("Der Fußweg\tist\nNASS", ["der", "fußweg", "ist", "nass"]),
            ("ΟΔΥΣΣΕΥΣ ὀδός", ["οδυσσευσ", "ὀδόσ"]),
            ("हिन्दी में", ["हिन्दी", "में"]),
            ("  \u200b \x00", []),
            ("", []),
        ],
    )
    def test_in_any_script(self, text: str, expected: list[str]):
        """Runs of letters and digits; each CJK character and each punctuation mark by itself."""
        assert words(text) == expected

    def test_composed_or_not_is_the_same(self):
        """However an accent is typed."""
        for text in ("Café déjà vu", "한국어 문장", "Å İstanbul"):
            one, other = (words_of([normalized(unicodedata.normalize(form, text))]) for form in ("NFC", "NFD"))
            assert one.hashes.tolist() == other.hashes.tolist()

    @given(st.lists(st.text(max_size=30), max_size=8))
    @settings(max_examples=60, deadline=None)
    def test_what_stands_beside_a_text_changes_nothing(self, texts: list[str]):
        """The n-grams of a text are its own, whatever the others are; each is counted."""
        together = count_ngrams(texts)
        for number, text in enumerate(texts):
            alone, mine = count_ngrams([text]), together.texts == number
            assert together.ngrams[mine].tolist() == alone.ngrams.tolist()
            assert together.counts[mine].tolist() == alone.counts.tolist()
            found = words(text)
            pairs = Counter(pairwise(found))
            assert sorted(alone.counts) == sorted([*Counter(found).values(), *pairs.values()])

    def test_texts_beyond_a_batch(self):
        """A text is never divided, and its number is right."""
        texts = ["a b " * 100_000, "c", "d e " * 100_000, "f"]
        assert np.unique(count_ngrams(texts).texts).tolist() == [0, 1, 2, 3]

    def test_they_weigh_what_scikit_learn_says(self):
        """TF-IDF with sublinear counts, each text's of length 1."""
        texts = read_corpus(DATASETS / "product_reviews.csv").texts[:100]
        inputs = Inputs.of(texts, None, words=True)
        theirs = TfidfVectorizer(
            tokenizer=words, token_pattern=None, lowercase=False, ngram_range=(1, 1), sublinear_tf=True
        )
        ours = inputs.words(Vocabulary(inputs.hashes, np.ones(len(inputs.hashes), np.float16)))
        assert ours.shape[0] == 100
        known = inputs.vocabulary()
        of_words = known[known.hashes % np.uint64(2) == 0]
        np.testing.assert_allclose(
            (inputs.words(of_words) @ inputs.words(of_words).T).toarray(),
            (theirs.fit_transform(texts) @ theirs.transform(texts).T).toarray(),
            atol=2e-3,
        )


class TestTraining:
    """What is chosen, and what is sent."""

    def test_words_are_taken_where_they_tell_more(self):
        """And left out where the vector tells all."""
        same = np.tile(np.float32([1, 0, 0, 0]), (len(ON_WORDS), 1))
        classifier = embedclf.train(ON_WORDS, OF_WORDS, vectors=same, label_names=False)
        assert classifier.card.word_scale > 0
        assert classifier.card.held_out.accuracy == 1.0
        rng = np.random.default_rng(0)
        told = 2 * rng.normal(size=(len(OF_WORDS), 4))
        told[:, 0] += [2 if name == "alpha" else -2 for name in OF_WORDS]
        told /= np.linalg.norm(told, axis=1, keepdims=True)
        unlike = [" ".join(rng.choice(list("abcdefgh"), 6)) for _ in OF_WORDS]
        assert embedclf.train(unlike, OF_WORDS, vectors=told, label_names=False).card.word_scale == 0

    def test_words_alone_need_no_embedder(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """Nothing is sent, and nothing is paid."""
        result = cli("train", dataset, "--features", "words")
        assert result.exit_code == 0, result.stderr
        assert "Embedder: none (words only)\n" in result.stderr
        assert cli("predict", "where is my parcel").stdout.startswith("delivery\t0.")
        assert cli("evaluate", dataset, "--train-set", dataset).exit_code == 0
        assert cli("cross-validate", dataset, "--features", "words").exit_code == 0
        assert api.n_requests == 0

    def test_it_falls_back_on_words(self, cli: Cli, dataset: Path, monkeypatch: pytest.MonkeyPatch):
        """Where there is no embedder to be had, which it says; one that is named is an error."""
        monkeypatch.setattr("embedclf.embedding.wordllama.find_spec", lambda name: None)
        result = cli("train", dataset)
        assert result.exit_code == 0, result.stderr
        assert "Warning: no embedder available, so training on words only: the WordLlama embedder is not installed" in (
            result.stderr
        )
        assert embedclf.train(TEXTS, LABELS).model.uses_vectors is False
        assert embedclf.EmbeddingClassifier().fit(TEXTS, LABELS).predict(TEXTS[:1]).tolist() == LABELS[:1]
        for asked in (["--embedder", "wordllama"], ["--features", "both"]):
            result = cli("train", dataset, *asked)
            assert result.exit_code == 1
            assert "the WordLlama embedder is not installed" in result.stderr

    def test_an_embedder_of_words_has_nothing_else(self):
        """To ask for vectors beside it is an error."""
        assert not embedclf.train(TEXTS, LABELS, embedder="words").model.uses_vectors
        with pytest.raises(embedclf.ArgumentError, match="words:ngrams has no embeddings"):
            embedclf.train(TEXTS, LABELS, embedder="words", features="both")

    def test_what_cannot_be_asked_for(self, cli: Cli, dataset: Path):
        """Said before anything is read."""
        with pytest.raises(embedclf.ArgumentError, match="unknown features 'all': expected one of 'auto', 'embedding'"):
            embedclf.train(TEXTS, LABELS, features="all")
        result = cli("train", dataset, "--features", "words", "--embedder", "wordllama")
        assert result.exit_code == 2
        assert "--features words uses no embedder" in result.stderr

    def test_the_size_is_bounded(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
        """The n-grams of the least weights go, and what that costs is said."""
        monkeypatch.setattr(heads, "MOST_BYTES", 800)
        with caplog.at_level(logging.INFO):
            small = embedclf.train(TEXTS, LABELS, features="words", label_names=False)
        assert len(small.model.words.vocabulary) == 50
        assert any(line.startswith("Dropped the n-grams with the smallest weights to keep") for line in caplog.messages)
        assert small.predict(["Where is my parcel?"]) == ["delivery"]


class TestModelFile:
    """Format 2."""

    def test_it_gives_the_same_answers_and_bytes(self, both: Path, on_words: embedclf.TextClassifier):
        """To the bit."""
        loaded = embedclf.load(both)
        assert (loaded.predict_proba(TEXTS) == on_words.predict_proba(TEXTS)).all()
        assert loaded.card == on_words.card
        loaded.save("again.safetensors")
        assert Path("again.safetensors").read_bytes() == both.read_bytes()

    def test_it_holds_no_text(self, both: Path):
        """Numbers only: none of the words, in any order of bytes that could be read."""
        data = both.read_bytes().lower()
        for word in ("parcel", "courier", "tracking", "login"):
            assert word.encode() not in data
        with safe_open(both, framework="numpy") as file:
            assert json.loads(file.metadata()["embedclf"])["format"] == 2
            assert set(file.keys()) == {"weights", "bias", "ngrams", "idf", "ngram_weights"}

    def test_without_words_it_is_of_format_1(self, trained: embedclf.TextClassifier):
        """Which older versions read."""
        trained.save("one.safetensors")
        with safe_open("one.safetensors", framework="numpy") as file:
            metadata = json.loads(file.metadata()["embedclf"])
        assert metadata["format"] == 1
        assert "word_scale" not in metadata

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"tensors": {"ngrams": np.arange(5, dtype=np.uint64)}}, "n-grams of shape (5,) do not match"),
            ({"reverse": True}, "its n-grams are not sorted"),
            ({"nan": "idf"}, "some inverse document frequencies are out of range"),
            ({"nan": "ngram_weights"}, "some word weights are not finite"),
            ({"word_scale": 0}, "invalid 'word_scale' 0"),
        ],
    )
    def test_what_cannot_be_is_refused(self, both: Path, tmp_path: Path, changes: dict, message: str):
        """In one line."""
        with safe_open(both, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        changed = {**tensors, **changes.pop("tensors", {})}
        if changes.pop("reverse", False):
            changed["ngrams"] = changed["ngrams"][::-1].copy()
        if (name := changes.pop("nan", None)) is not None:
            changed[name] = changed[name].copy()
            changed[name].flat[0] = np.nan
        path = rewrite(both, tmp_path / "m.safetensors", changed, **changes)
        with pytest.raises(embedclf.ModelFileError) as error:
            embedclf.load(path)
        assert message in str(error.value)


class TestPredicting:
    """All doors of a classifier that uses words."""

    def test_it_needs_the_texts(self, on_words: embedclf.TextClassifier):
        """Beside their vectors, one each."""
        vectors = on_words.embedder.embed(TEXTS[:2])
        with pytest.raises(embedclf.EmbedclfError, match="uses words, so it needs the texts as well as the vectors"):
            on_words.probabilities(vectors)
        with pytest.raises(embedclf.EmbedclfError, match="expected one vector per text, got 1 text and 2 vectors"):
            on_words.probabilities(vectors, TEXTS[:1])
        given = on_words.probabilities(vectors, TEXTS[:2])
        assert (given == on_words.predict_proba(TEXTS[:2])).all()

    @pytest.mark.parametrize("features", ["words", "both"])
    def test_a_bad_text_does_not_sink_the_rest(self, cli: Cli, features: str):
        """It has no label and a reason, wherever it is asked for."""
        classifier = embedclf.train(TEXTS, LABELS, features=features)
        texts = ["Where is my parcel?", "", "\ud800 x", "the refund"]
        probabilities, reasons = classifier.predict_proba_usable(texts)
        assert sorted(reasons) == [1, 2]
        assert np.isnan(probabilities).any(axis=1).tolist() == [False, True, True, False]
        assert classifier.decide(probabilities)[1:3] == [None, None]
        Path("in.csv").write_text("text\nWhere is my parcel?\n \nthe refund\n")
        done = embedclf.predict_file(classifier, "in.csv", "out.csv")
        assert (done.rows, done.n_faults) == (3, 1)
        labels = [line.split(",")[1] for line in Path("out.csv").read_text().splitlines()[1:]]
        assert labels == [classifier.predict(texts[:1])[0], "", classifier.predict(texts[3:])[0]]

    def test_texts_without_a_known_word(self):
        """Have the probabilities of the intercepts."""
        classifier = embedclf.train(TEXTS, LABELS, features="words")
        unknown, too = classifier.predict_proba(["xyzzy", "qwrtp"])
        np.testing.assert_array_equal(unknown, too)

    def test_suggesting_and_neighbours(self, cli: Cli, dataset: Path):
        """Go by the n-grams where there is no vector."""
        cli("train", dataset, "--features", "words")
        Path("new.csv").write_text("text\nmy parcel\nmy refund\nmy password\n")
        assert cli("suggest", "new.csv", "-n", 2).exit_code == 0
        near = embedclf.search(TEXTS, "Where is my parcel?", k=1, embedder="words").hits[0]
        assert (near.text, round(near.similarity, 3)) == ("Where is my parcel?", 1.0)
        shown = cli("predict", "Where is my parcel?", "--explain", "--train-set", dataset).stdout
        assert "Where is my parcel?" in shown


class TestLabelNames:
    """What a label's name says."""

    def test_with_one_row_a_label_they_are_used(self, caplog: pytest.LogCaptureFixture):
        """And said to be; not if they are numbers, short, or not wanted."""
        texts, labels = ["It is broken", "Where is my money?"], ["damaged_item", "refund"]
        with caplog.at_level(logging.INFO):
            used = embedclf.train(texts, labels)
        told = "Label names are used as training texts, too (turn this off with --no-label-names)."
        assert told in caplog.messages
        assert used.predict(["damaged item", "refund"]) == labels
        caplog.clear()
        with caplog.at_level(logging.INFO):
            embedclf.train(texts, labels, label_names=False)
            embedclf.train(texts, ["1", "2"])
            embedclf.train(texts, ["ok", "no"])
        assert told not in caplog.messages

    def test_they_are_words(self):
        """Underscores, hyphens and humps are spaces."""
        assert embedclf.label_name_texts(["card_arrival", "orderChange", "a/b-side"]) == [
            "card arrival",
            "order Change",
            "a b side",
        ]
        assert embedclf.label_name_texts(["refund", "42"]) is None

    def test_names_that_mislead_are_not_taken(self):
        """From two rows a label up, out-of-fold log loss decides."""
        texts, labels = TEXTS, LABELS
        few = [row for start in (0, 10, 20) for row in range(start, start + 8)]
        texts, labels = [texts[row] for row in few], [labels[row] for row in few]
        swapped = {"delivery": "password", "password": "refund", "refund": "delivery"}
        asked = {"features": "embedding", "holdout": 0, "regularization": 10.0}
        wrong = embedclf.train(texts, [swapped[label] for label in labels], **asked)
        without = embedclf.train(texts, [swapped[label] for label in labels], label_names=False, **asked)
        np.testing.assert_allclose(wrong.predict_proba(TEXTS), without.predict_proba(TEXTS), atol=1e-4)

    def test_they_are_paid_for_with_the_texts(self, cli: Cli, api: AimlapiServer):
        """In the estimate, and once."""
        Path("few.csv").write_text("text,label\nwhere is it,delivery\nmy money,refund\nstill waiting,delivery\n")
        assert "5 rows, 5 unique, 0 cached, 5 to embed" in cli("train", "few.csv", "--dry-run").stdout
        assert cli("train", "few.csv", "--holdout", 0).exit_code == 0
        assert sorted(api.texts_sent) == ["delivery", "my money", "refund", "still waiting", "where is it"]
        assert cli("train", "few.csv", "--holdout", 0, "--no-label-names").exit_code == 0
        assert len(api.texts_sent) == 5
