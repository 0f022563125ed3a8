"""Why a label: what each word of a text adds to the difference of two scores."""

import json
import os
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embedclf
from aimlapi_server import embed
from corpus import LABELS, TEXTS, write_csv
from embedclf.classifier.explanation import Explanation, Span, by_word
from embedclf.classifier.linear import WordWeights
from embedclf.embedding.wordllama import _PIECE_CHARACTERS, WordLlamaEmbedder
from embedclf.evaluation.words import strongest_words
from embedclf.features import ngrams
from embedclf.features.ngrams import normalized, original_places, words_of
from embedclf.printing.tables import coloured, shown_word, weighed
from running import Cli

LONG = "where is my parcel, the courier never came with my refund " * 400
ODD = [
    "I was charged twice this month",
    LONG,
    "parcel" * 3_000,
    "我的包裹在哪里？请退款",
    "日本語の𠮷 parcel",
    unicodedata.normalize("NFD", "한국어 études parcel ẞ"),
    "İSTANBUL ΟΔΥΣΣΕΥΣ straße ﬁne",
    "the driver 👩‍🚒🇩🇪 left ✌🏽 my parcel\n\n\tand ... (never) came!!!",
    "a\u0300\u0316\u0301 e\u0301 \u0301alone",
    "\0 \u200d refund \ufeff",
    "qwxyz",
]


class Foreign:
    """A LangChain ``Embeddings`` by its looks, whose vectors are of a text as a whole."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [embed(text, "foreign", 64) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def with_words(classifier: embedclf.TextClassifier) -> embedclf.TextClassifier:
    """Give a classifier words of large, different weights, so that each plays a part."""
    from embedclf.features.vocabulary import Vocabulary, count_ngrams

    hashes = np.unique(count_ngrams([*TEXTS, *ODD[:5]]).ngrams)
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary(hashes, (1 + 3 * rng.random(len(hashes))).astype(np.float16))
    weights = 5 * rng.standard_normal((len(hashes), len(classifier.classes)))
    model = replace(classifier.model, words=WordWeights(vocabulary, weights.astype(np.float16)))
    return embedclf.TextClassifier(classifier.embedder, model, replace(classifier.card, word_scale=1.0))


@pytest.fixture(scope="module")
def classifiers(trained: embedclf.TextClassifier) -> dict[str, embedclf.TextClassifier]:
    """One of each kind."""
    two = [label if label == "refund" else "other" for label in LABELS]
    plain: dict[str, Any] = {"features": "embedding", "label_names": False, "holdout": 0}
    foreign = embedclf.train(TEXTS, LABELS, embedder=Foreign(), **plain)
    words = embedclf.train(TEXTS, LABELS, embedder="wordllama", features="words", label_names=False, holdout=0)
    return {
        "vectors": trained,
        "words": words,
        "both": with_words(trained),
        "foreign": foreign,
        "foreign with words": with_words(foreign),
        "two classes": with_words(embedclf.train(TEXTS, two, embedder="wordllama", **plain)),
    }


KINDS = ["vectors", "words", "both", "foreign", "foreign with words", "two classes"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_sum_to_the_difference_of_the_scores(classifiers: dict[str, embedclf.TextClassifier], kind: str):
    """Which is the logarithm of the ratio of the two probabilities; spans are parts of the text, in its order."""
    classifier = classifiers[kind]
    texts = [*TEXTS, *ODD]
    for text, one, probabilities in zip(texts, classifier.explain(texts), classifier.predict_proba(texts), strict=True):
        runner_up, best = np.argsort(probabilities, kind="stable")[-2:]
        assert (one.label, one.confidence) == (classifier.classes[best], pytest.approx(probabilities[best], abs=1e-6))
        assert (one.runner_up, one.runner_up_confidence) == (
            classifier.classes[runner_up],
            pytest.approx(probabilities[runner_up], abs=1e-6),
        )
        ratio = np.log(probabilities[best].astype(float)) - np.log(probabilities[runner_up].astype(float))
        assert sum(span.weight for span in one.spans) + one.vector + one.bias == pytest.approx(ratio, abs=1e-4)
        assert one.difference == pytest.approx(ratio, abs=1e-4)
        borders = [place for span in one.spans for place in span[:2]]
        assert borders == sorted(borders)
        assert all(0 <= span.start < span.end <= len(text) and span.weight for span in one.spans)
        assert (one.vector != 0) == kind.startswith("foreign")
        assert one.supporting == one.opposing == ()


def test_what_a_word_adds_is_found_without_it(classifiers: dict[str, embedclf.TextClassifier]):
    """By the scores of the vocabulary itself: a word is its own n-gram, and half of each pair that it is in."""
    classifier = classifiers["words"]
    words = classifier.model.words
    assert words is not None
    text = "My refund, my refund"
    (one,) = classifier.explain([text])
    terms = words.vocabulary.terms([text])
    found = words_of([normalized(text)])
    first, pairs = found.pairs()
    of = [classifier.classes.index(name) for name in (one.label, one.runner_up)]
    adds = {
        int(words.vocabulary.hashes[column]): float(value)
        * float(np.diff(words.weights[column, of[::-1]].astype(float))[0])
        for column, value in zip(terms.columns, terms.values, strict=True)
    }
    assert len(adds) >= 2
    hashes, of_pairs = found.hashes.tolist(), pairs.tolist()
    expected = [adds.get(one, 0) / hashes.count(one) for one in hashes]
    for place, pair in zip(first.tolist(), of_pairs, strict=True):
        for word in (place, place + 1):
            expected[word] += adds.get(pair, 0) / of_pairs.count(pair) / 2
    weights = {span.start: span.weight for span in one.spans}
    assert [weights.get(start, 0) for start in (0, 3, 9, 11, 14)] == pytest.approx(expected, abs=1e-6)
    assert [(span.start, span.end) for span in one.spans if text[span.start] == "r"] == [(3, 9), (14, 20)]


def test_words_are_where_they_stand(trained: embedclf.TextClassifier):
    """Also behind characters that lower case or composition makes longer or shorter."""
    for before in ("İİİ ", "e\u0301e\u0301 ", unicodedata.normalize("NFD", "한국 "), "ΣΣ ", "👩‍🚒 ", "ẞß "):
        text = f"{before}parcel"
        for classifier in (trained, with_words(trained)):
            (one,) = classifier.explain([text])
            assert text[slice(*one.spans[-1][:2])] == "parcel"
            assert all(not text[span.end : span.end + 1] or not unicodedata.combining(text[span.end : span.end + 1])
                       for span in one.spans)  # fmt: skip


UGLY = st.text(
    st.one_of(
        st.sampled_from(
            "İßςΣσé\u0301\u0316\u0345\u200d👩🚒한ᄒ\u1161\u11ab가ᄀ\u0958\u0b47\u0b3e\u0b57\u0dca\u0dd9ﬁÅK\u2adc Aa.日"
        ),
        st.characters(codec="utf-8"),
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(UGLY)
def test_each_character_has_its_place_in_the_original(text: str):
    """As many as the normalized text has; together they leave nothing out, in order; a part makes what it made."""
    whole = normalized(text)
    places = original_places(text)
    assert len(places.starts) == len(places.ends) == len(whole)
    parts = dict.fromkeys(zip(places.starts.tolist(), places.ends.tolist(), strict=True))
    borders = [place for part in parts for place in part]
    assert borders == sorted(borders)
    assert "".join(text[start:end] for start, end in parts) == text
    for start, end in parts:
        made = "".join(
            character for character, place in zip(whole, places.starts.tolist(), strict=True) if place == start
        )
        assert normalized(text[start:end]) == made


@settings(deadline=None, max_examples=100)
@given(UGLY)
def test_any_text_can_be_explained(text: str):
    """Or is refused as by predict."""
    classifier = _both()
    try:
        (probabilities,) = classifier.predict_proba([text]).astype(float)
    except embedclf.TextError:
        with pytest.raises(embedclf.TextError):
            classifier.explain([text])
        return
    (one,) = classifier.explain([text])
    second, best = np.sort(probabilities)[-2:]
    parts = sum(span.weight for span in one.spans) + one.vector + one.bias
    assert parts == pytest.approx(np.log(best) - np.log(second), abs=1e-4)
    assert all(one.end <= other.start for one, other in zip(one.spans, one.spans[1:], strict=False))


_MADE: list[embedclf.TextClassifier] = []


def _both() -> embedclf.TextClassifier:
    if not _MADE:
        plain = embedclf.train(TEXTS, LABELS, embedder="wordllama", features="embedding", label_names=False, holdout=0)
        _MADE.append(with_words(plain))
    return _MADE[0]


def test_what_is_composed_in_a_way_not_known_here_is_a_single_part(monkeypatch: pytest.MonkeyPatch):
    """As by a later version of Unicode: no place is wrong then, but all are the whole text."""
    monkeypatch.setattr(ngrams, "_combines", lambda character: False)
    text = "e\u0301 a"
    places = original_places(text)
    assert (places.starts.tolist(), places.ends.tolist()) == ([0, 0, 0], [4, 4, 4])


@pytest.mark.parametrize("dimensions", [64, 256])
def test_tokens_share_the_vector_as_it_is_embedded(dimensions: int):
    """Their values sum to its product with any direction, in long texts, too, and each stands at its place."""
    embedder = WordLlamaEmbedder(dimensions=dimensions)
    assert embedder.has_token_shares
    assert not embedclf.open_embedder("words").has_token_shares
    directions = np.random.default_rng(0).standard_normal((3, dimensions))
    assert len(LONG) > 2 * _PIECE_CHARACTERS
    for text in ODD:
        (vector,) = embedder.embed([text]).astype(float)
        for direction in directions:
            shares = embedder.token_shares(text, direction)
            assert shares.values.sum() == pytest.approx(vector @ direction, abs=1e-4)
            assert 0 <= shares.starts.min() <= shares.ends.max() <= len(text)
    shares = embedder.token_shares(LONG, directions[0])
    tokens = [LONG[start:end] for start, end in zip(shares.starts, shares.ends, strict=True)]
    assert {" where", " never"} < set(tokens)
    # All but the spaces at which it is cut, and that the first token of a piece is not preceded by.
    assert len(LONG) - 2 * len(LONG) // _PIECE_CHARACTERS <= len("".join(tokens)) <= len(LONG) + 2


def test_vectors_that_are_handed_over(classifiers: dict[str, embedclf.TextClassifier]):
    """Those of the embedder are as if embedded here; any others have no tokens, and count as a whole."""
    classifier = classifiers["both"]
    vectors = classifier.embedder.embed(TEXTS[:3])
    for one, other in zip(classifier.explain(TEXTS[:3]), classifier.explain(TEXTS[:3], vectors=vectors), strict=True):
        assert one == other
    (one,) = classifier.explain(TEXTS[:1], vectors=vectors[1:2])
    assert one.vector != 0
    (probabilities,) = classifier.probabilities(vectors[1:2], TEXTS[:1]).astype(float)
    assert one.difference == pytest.approx(np.log(one.confidence) - np.log(one.runner_up_confidence), abs=1e-4)
    assert one.confidence == pytest.approx(probabilities.max())
    with pytest.raises(embedclf.EmbedclfError, match="got 2 texts but 3 vectors"):
        classifier.explain(TEXTS[:2], vectors=vectors)


def test_what_cannot_be_labelled_cannot_be_explained(classifiers: dict[str, embedclf.TextClassifier]):
    """As by predict; no texts have no explanations."""
    for classifier in classifiers.values():
        assert classifier.explain([]) == []
        with pytest.raises(embedclf.TextError, match=r"texts\[1\]: the text is empty"):
            classifier.explain(["my refund", " "])
        with pytest.raises(TypeError, match="not a single str"):
            classifier.explain("my refund")


def test_abstaining_plays_no_part(trained: embedclf.TextClassifier):
    """The likeliest label is explained."""
    assert trained.with_min_confidence(1.0).explain(TEXTS) == trained.explain(TEXTS)


def test_neighbours_stand_beside_the_words(trained: embedclf.TextClassifier):
    """It is one record, without a train set as with one; all of it goes into JSON."""
    (alone,) = embedclf.explain(trained, ["my parcel"])
    assert alone == trained.explain(["my parcel"])[0]
    (one,) = embedclf.explain(trained, ["my parcel"], (TEXTS, LABELS))
    assert replace(one, supporting=(), opposing=()) == alone
    assert len(one.supporting) == 3
    shown = json.loads(json.dumps(one.to_dict()))
    assert shown["spans"] == [span._asdict() for span in one.spans]
    assert list(shown) == [
        *("label", "confidence", "runner_up", "runner_up_confidence", "difference", "spans", "vector", "bias"),
        *("for", "against"),
    ]
    assert embedclf.Explanation is Explanation


def test_words_of_a_text_are_summed_up():
    """In lower case; line breaks and the like are left out; the strongest come first, and zeros not at all."""
    text = "My\n\nrefund, my"
    spans = [Span(0, 2, 0.5), Span(2, 4, 9.0), Span(4, 10, -2.0), Span(10, 11, 0.001), Span(12, 14, 0.25)]
    words = by_word(text, spans)
    assert words == {"my": 0.75, "refund": -2.0, ",": 0.001}
    assert weighed(words) == "refund -2.00, my +0.75"
    assert (
        weighed({f"w{number}": number for number in range(1, 9)}) == "w8 +8.00, w7 +7.00, w6 +6.00, w5 +5.00, w4 +4.00"
    )
    assert weighed({"x" * 100: 1.0, "\x1b[31m": 0.5}) == f"{'x' * 23}… +1.00, \\x1b[31m +0.50"


def test_the_words_of_a_label():
    """By their sum over its texts; a word of one text only where there are too few others."""
    common = {f"w{number}": 1.0 + number for number in range(8)}
    words = strongest_words([{**common, "rare": 99.0}, {**common, "against": -1.0}])
    assert [one.word for one in words] == [f"w{number}" for number in reversed(range(8))]
    assert words[0].weight == 8
    assert strongest_words([{"rare": 3.0, "both": 1.0}, {"both": 1.0}]) == (("rare", 1.5), ("both", 1.0))
    assert strongest_words([{"against": -1.0}]) == ()


def test_predict_lists_the_strongest_words(cli: Cli, trained: embedclf.TextClassifier, tmp_path: Path):
    """Without a train set, and without colour where there is no terminal."""
    with_words(trained).save("m.safetensors")
    (one,) = embedclf.load("m.safetensors").explain(["Where is my parcel?"])
    result = cli("predict", "-m", "m.safetensors", "--explain", "Where is my parcel?", "", "x\x1b[2J refund")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{one.label}\t0.")
    assert lines[1].startswith(f"  {one.label} over {one.runner_up} (0.")
    words = by_word("Where is my parcel?", one.spans)
    best = max(words, key=lambda word: words[word])
    assert lines[2].startswith(f"  words for      {best} {words[best]:+.2f}, ")
    assert "-\t-" in lines
    assert "\x1b" not in result.stdout
    shown = json.loads(cli("predict", "-m", "m.safetensors", "--explain", "--json", "Where is my parcel?").stdout)
    assert list(shown) == [
        *("text", "label", "confidence", "likeliest", "runner_up", "runner_up_confidence", "difference", "spans"),
        *("vector", "bias"),
    ]
    sums = sum(span["weight"] for span in shown["spans"]) + shown["vector"] + shown["bias"]
    assert sums == pytest.approx(shown["difference"])
    assert shown["difference"] == pytest.approx(one.difference)
    where = {shown["text"][span["start"] : span["end"]] for span in shown["spans"]}
    assert where == {"Where", "is", "my", "parcel", "?"}


def test_a_label_that_is_abstained_from_is_named(cli: Cli, trained: embedclf.TextClassifier):
    """So that it is clear what the words speak for."""
    trained.with_min_confidence(1.0).save("m.safetensors")
    lines = cli("predict", "-m", "m.safetensors", "--explain", "Where is my parcel?").stdout.splitlines()
    assert lines[0].startswith("-\t0.")
    assert lines[1].startswith("  delivery over ")


def test_the_part_of_a_vector_as_a_whole(cli: Cli, api: Any, dataset: Path):
    """Of an embedder over HTTP: it stands beside the words, or alone where there are none."""
    train = ("train", dataset, "-o", "m.safetensors", "--holdout", "0", "--features")
    assert cli(*train, "embedding").exit_code == 0
    explained = ("predict", "-m", "m.safetensors", "--explain", TEXTS[0])
    (line,) = cli(*explained).stdout.splitlines()[2:]
    assert line.startswith("  vector         +")
    report = cli("evaluate", dataset, "-m", "m.safetensors")
    assert "words" not in report.stdout
    shown = json.loads(cli("evaluate", dataset, "-m", "m.safetensors", "--json").stdout)
    assert shown["words_by_label"] == {}
    assert cli(*train, "words").exit_code == 0
    assert "vector" not in cli(*explained).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_text_is_in_colour(model: Path):
    """Its words, cleaned, are; with NO_COLOR they are listed there, too."""
    import pty

    text = "Where is my parcel?\n\x1b[2J"
    for settings_, in_colour in (({}, True), ({"NO_COLOR": "1"}, False)):
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "embedclf", "predict", "-m", str(model), "--explain", text]
        environment = {**{key: value for key, value in os.environ.items() if key != "NO_COLOR"}, **settings_}
        done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environment, timeout=60)
        os.close(slave)
        shown = os.read(master, 10_000).decode()
        os.close(master)
        assert done.returncode == 0, done.stderr
        assert ("\x1b[32m" in shown) == in_colour
        assert ("words for" in shown) != in_colour
        assert "\x1b[2J" not in shown
        if in_colour:
            assert "\x1b[32m\x1b[1mparcel\x1b[0m" in shown


def test_colours_of_a_text():
    """Green for, red against, bold if it is strong, and none if it is weak; nothing is lost."""
    text = "a strong\nweak bad one"
    spans = [Span(2, 8, 4.0), Span(9, 13, 0.3), Span(14, 17, -1.0), Span(18, 21, 2.0)]
    assert list(coloured(text, spans)) == [
        ("a ", {}),
        ("strong", {"fg": "green", "bold": True}),
        ("\\nweak ", {}),
        ("bad", {"fg": "red"}),
        (" ", {}),
        ("one", {"fg": "green", "bold": True}),
        ("", {}),
    ]
    assert list(coloured("plain", [])) == [("plain", {})]


def test_evaluate_gives_the_words_of_wrong_rows_and_labels(cli: Cli, trained: embedclf.TextClassifier):
    """On the screen in a line below each row, in JSON as spans, of the first hundred; and in Python."""
    classifier = with_words(trained)
    classifier.save("m.safetensors")
    shifted = [*LABELS[5:], *LABELS[:5]]
    rows = [(f'"{text}"', label) for text, label in zip(TEXTS, shifted, strict=True)]
    path = write_csv(Path("test.csv"), rows * 12)
    shown = json.loads(cli("evaluate", path, "-m", "m.safetensors", "--json").stdout)
    assert len(shown["wrong"]) > 100
    assert [place for place, one in enumerate(shown["wrong"]) if "words" in one] == list(range(100))
    first = shown["wrong"][0]
    (why,) = classifier.explain([first["text"]])
    assert why.label == first["predicted"]
    assert [span["weight"] for span in first["words"]] == pytest.approx([span.weight for span in why.spans])
    assert "spans" not in first
    report = embedclf.evaluate(classifier, TEXTS, shifted)
    assert all(one.spans == classifier.explain([one.text])[0].spans for one in report.wrong)
    assert set(report.words_by_label) == set(classifier.predict(TEXTS))
    answered = [(text, one) for text, one in zip(TEXTS, classifier.explain(TEXTS), strict=True)]
    for label, words in report.words_by_label.items():
        mine = [by_word(text, one.spans) for text, one in answered if one.label == label]
        assert 0 < len(words) <= 8
        for word, weight in words:
            assert weight == pytest.approx(sum(one.get(word, 0) for one in mine) / len(mine))
        assert [one.weight for one in words] == sorted((one.weight for one in words), reverse=True)
    assert report.to_dict()["words_by_label"][label][0] == words[0]._asdict()
    lines = cli("evaluate", path, "-m", "m.safetensors").stdout.splitlines()
    start = next(place for place, line in enumerate(lines) if "Most confident first; check these labels:" in line)
    assert lines[start + 3] == f"      words: {weighed(by_word(first['text'], why.spans))}"
    table = lines.index("label     strongest words")
    words_of_label = ", ".join(shown_word(one["word"]) for one in shown["words_by_label"]["delivery"])
    assert lines[table + 1].split() == ["delivery", *words_of_label.split()]


def test_work_on_words_is_bounded(trained: embedclf.TextClassifier, monkeypatch: pytest.MonkeyPatch):
    """Of many texts, some are explained, spread over all; of many wrong rows, the surest."""
    from embedclf.evaluation import words

    monkeypatch.setattr(words, "_MOST_EXPLAINED", 10)
    shifted = [*LABELS[10:], *LABELS[:10]]
    report = embedclf.evaluate(trained, TEXTS, shifted)
    assert [bool(one.spans) for one in report.wrong] == [True] * 10 + [False] * (len(report.wrong) - 10)
    assert len(report.words_by_label) == 3
    monkeypatch.setattr(words, "_MOST_CHARACTERS", sum(map(len, TEXTS)) * 3 // 30 + 1)
    report = embedclf.evaluate(trained, TEXTS, shifted)
    assert [bool(one.spans) for one in report.wrong] == [True] * 4 + [False] * (len(report.wrong) - 4)
