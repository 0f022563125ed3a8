"""The nearest rows, and what they explain."""

import json
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICKLY, TEXTS, write_csv
from embedclf.stats import neighbours
from embedclf.stats.neighbours import nearest
from running import Cli


@pytest.mark.slow
@pytest.mark.parametrize("most", [60, 900, 10**7])
@pytest.mark.parametrize("n_queries", [0, 1, 7, 1_100])
@pytest.mark.exhaustive
def test_they_are_those_of_a_full_sort(monkeypatch: pytest.MonkeyPatch, most: int, n_queries: int):
    """In blocks of any size, of any number of queries; of equals, the first row."""
    monkeypatch.setattr(neighbours, "_MOST_NUMBERS", most)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[rng.integers(0, 200, n_queries)]
    found = nearest(vectors, queries, 5)
    similarities = queries.astype(float) @ vectors.T.astype(float)
    expected = np.argsort(-similarities, axis=1, kind="stable")[:, :5]
    np.testing.assert_allclose(found.similarities, np.take_along_axis(similarities, expected, 1), atol=1e-6)
    np.testing.assert_array_equal(found.rows, expected)
    assert found.rows.shape == (n_queries, 5)


def test_of_equals_the_first():
    """And no more rows than there are."""
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    assert nearest(vectors, vectors[:1], 9).rows.tolist() == [[0, 2, 1, 3]]


@pytest.mark.parametrize("most", [60, 900, 10**7])
@pytest.mark.parametrize("k", [1, 7, 30, 199, 500])
def test_of_equals_the_first_wherever_the_last_of_them_is_cut_off(monkeypatch: pytest.MonkeyPatch, most: int, k: int):
    """Rows that come again, so that some of the equals are among the k and others not; the similarities are equal."""
    monkeypatch.setattr(neighbours, "_MOST_NUMBERS", most)
    rng = np.random.default_rng(1)
    distinct = rng.standard_normal((20, 50)).astype(np.float32)
    distinct /= np.linalg.norm(distinct, axis=1, keepdims=True)
    which = rng.integers(0, 20, 203)
    found = nearest(distinct[which], distinct, k)
    for query, rows, similarities in zip(distinct, found.rows, found.similarities, strict=True):
        nearness = (distinct.astype(float) @ query.astype(float))[which]
        assert rows.tolist() == sorted(range(203), key=lambda row: (-nearness[row], row))[:k]
        assert len(set(similarities.tolist())) == len(set(which[rows].tolist()))


def test_of_many_equals_the_first(monkeypatch: pytest.MonkeyPatch):
    """Also where they are too many to be looked at one by one, and better ones come late."""
    monkeypatch.setattr(neighbours, "_MOST_ROWS", 700)
    vectors = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (5_000, 1))
    vectors[4_321] = vectors[4_999] = [1, 0]
    (rows,) = nearest(vectors, vectors[4_321:4_322], 6).rows.tolist()
    assert rows == [4_321, 4_999, 0, 1, 2, 3]


def test_vectors_may_be_mapped_from_a_file(tmp_path: Path):
    """And are not changed; a row is as near to itself as can be."""
    vectors = np.random.default_rng(2).standard_normal((300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    found = nearest(mapped, vectors, 3)
    np.testing.assert_array_equal(found.rows, nearest(vectors, vectors, 3).rows)
    assert found.rows[:, 0].tolist() == list(range(300))
    np.testing.assert_allclose(found.similarities[:, 0], 1, atol=1e-6)
    assert found.similarities.max() <= 1


def test_vectors_at_hand_may_be_of_any_length():
    """What is found is by their direction, as with vectors of unit length; zeros are like nothing."""
    rng = np.random.default_rng(0)
    unit = np.repeat(np.eye(3), 20, axis=0) + 0.1 * rng.standard_normal((60, 3))
    unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)
    unit[5] = 0
    longer = unit * rng.uniform(0.5, 20, (60, 1)).astype(np.float32)
    texts = [f"number {row}" for row in range(60)]

    def found(vectors: np.ndarray) -> list[list[tuple[int, float]]]:
        query = vectors[30]
        results = [
            embedclf.search(texts, "query", k=60, vectors=vectors, query_vector=query),
            embedclf.recommend(texts, text="text", vectors=vectors, text_vector=query),
            embedclf.recommend(texts, row=30, vectors=vectors),
        ]
        return [[(hit.row, pytest.approx(hit.similarity, abs=1e-5)) for hit in one.hits] for one in results]

    searched, *_ = found(longer)
    assert dict(searched)[5] == 0
    assert sorted(row for row, _ in searched[:20]) == [*range(20, 40)]
    assert [[row for row, _ in one] for one in found(longer)[1:]] == [
        [row for row, _ in one] for one in found(unit)[1:]
    ]
    cosines = unit @ unit[30]
    assert all(cosines[row] == similarity for row, similarity in searched)
    assert embedclf.cluster(texts, vectors=longer).assigned == embedclf.cluster(texts, vectors=unit).assigned


def test_explain_in_python(trained: embedclf.TextClassifier):
    """For and against: of the answer's label, and of all others."""
    (one,) = embedclf.explain(trained, ["Where is my parcel, please?"], (TEXTS, LABELS))
    assert one.label == "delivery"
    assert [neighbour.label for neighbour in one.supporting] == ["delivery"] * 3
    assert one.supporting[0].text == "Where is my parcel?"
    assert one.supporting[0].row == 0
    assert "delivery" not in {neighbour.label for neighbour in one.opposing}
    assert one.to_dict()["against"][0]["similarity"] == one.opposing[0].similarity
    assert embedclf.explain(trained, [], (TEXTS, LABELS)) == []
    (alone,) = embedclf.explain(trained, ["my parcel"], (TEXTS[:2], LABELS[:2]))
    assert (len(alone.supporting), alone.opposing) == (2, ())
    with pytest.raises(embedclf.EmbedclfError, match="the train set has 2 texts and 1 label"):
        embedclf.explain(trained, ["my parcel"], (TEXTS[:2], LABELS[:1]))


def test_predict_explains_itself(cli: Cli, dataset: Path, model: Path):
    """Below each answer; in JSON in the same object; a row that cannot be labelled has nothing to explain."""
    result = cli("predict", "-m", model, "--explain", "--train-set", dataset, "Where is my parcel?", "", "my refund")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("delivery\t0.")
    assert lines[1].startswith("  delivery over password (0.")
    near = [number for number, line in enumerate(lines) if line.startswith("  near ")][:6]
    assert lines[near[0]] == "  near for       1.00  :2  delivery: Where is my parcel?"
    assert [line[:14] for line in lines[near[0] : near[5] + 1]] == ["  near for    "] * 3 + ["  near against"] * 3
    assert all(line.startswith("  words ") for line in lines[2 : near[0]])
    assert lines[near[5] + 1] == "-\t-"
    assert lines[near[5] + 2].startswith("refund\t")
    result = cli("predict", "-m", model, "--explain", "--train-set", dataset, "--json", "Where is my parcel?", "")
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["for"][0] == {
        "row": 0,
        "line": 2,
        "text": "Where is my parcel?",
        "label": "delivery",
        "similarity": pytest.approx(1, abs=1e-5),
    }
    assert len(first["against"]) == 3
    assert "for" not in second


def test_what_explaining_needs(cli: Cli, dataset: Path, model: Path):
    """Said before any work."""
    result = cli("predict", "-m", model, "--train-set", dataset, "my parcel")
    assert result.exit_code == 2
    assert "--train-set FILE needs --explain." in result.stderr
    result = cli("predict", "-m", model, "--label-column", "topic", "my parcel")
    assert result.exit_code == 2
    assert "--label-column needs --train-set FILE." in result.stderr
    result = cli("predict", "-m", model, "--explain", "--train-set", dataset, "--input", dataset, "--output", "out.csv")
    assert result.exit_code == 2
    assert "--explain prints to the screen" in result.stderr


def test_the_train_set_is_estimated_and_paid_for_once(cli: Cli, api: AimlapiServer, dataset: Path, tmp_path: Path):
    """--dry-run counts it, and what was trained on is in the cache."""
    cli("train", dataset, *QUICKLY, "-o", "m.safetensors")
    new = write_csv(tmp_path / "new.csv", [("my parcel is new", "delivery"), ("so is my refund", "delivery")])
    options = ("evaluate", new, "-m", "m.safetensors", "--train-set", dataset)
    api.reset()
    assert "32 rows, 32 unique, 30 cached, 2 to embed" in cli(*options, "--dry-run").stdout
    result = cli(*options)
    assert sorted(api.texts_sent) == ["my parcel is new", "so is my refund"]
    assert "1 misclassified row" in result.stdout
    assert "  labelled delivery, predicted refund (" in result.stdout
    api.reset()
    explained = cli("predict", "-m", "m.safetensors", "--no-cache", "--explain", "--train-set", dataset, "a new text")
    assert explained.exit_code == 0
    assert api.texts_sent.count("a new text") == 1


def test_the_labels_of_the_train_set_may_have_another_name(cli: Cli, model: Path):
    """--label-column names their column; without it, it has a usual name."""
    rows = [("my parcel", "delivery"), ("my refund", "refund")]
    path = write_csv(Path("other.csv"), rows, header=("text", "about"))
    explained = ("predict", "-m", model, "--explain", "--train-set", path, "my parcel")
    assert "  delivery: my parcel" in cli(*explained, "--label-column", "about").stdout
    assert cli(*explained).stderr == (
        "Error: other.csv:1: no column 'label' (found: 'text', 'about'). Use --label-column about\n"
    )
    write_csv(path, rows, header=("text", "topic"))
    assert "  delivery: my parcel" in cli(*explained).stdout


def test_a_limit_is_for_the_file_and_the_train_set_together(cli: Cli, api: AimlapiServer, dataset: Path):
    """A text of both counts once, in the estimate, before the limit, and when it is paid for; nothing is sent first."""
    cli("train", dataset, *QUICKLY, "-o", "m.safetensors")
    new = write_csv(Path("new.csv"), [(f'"{TEXTS[0]}"', "delivery"), ("my new parcel is late", "delivery")])
    evaluate = ("evaluate", new, "-m", "m.safetensors", "--train-set", dataset, "--no-cache")
    predict = ("predict", "--input", new, "-m", "m.safetensors", "--explain", "--train-set", dataset, "--no-cache")
    api.reset()
    for options in (evaluate, predict):
        assert cli(*options, "--dry-run").stdout.startswith("32 rows, 31 unique, 0 cached, 31 to embed: about")
        dollars = json.loads(cli(*options, "--dry-run", "--json").stdout)["estimate"]["dollars"]
        result = cli(*options, "--max-cost", f"{dollars * 0.99:.12f}")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Error: embedding 31 texts would cost " in result.stderr
        assert result.stderr.endswith(": nothing was sent\n")
    assert api.n_requests == 0
    for options in (evaluate, predict):
        api.reset()
        assert cli(*options).exit_code == 0
        assert sorted(api.texts_sent) == sorted([*TEXTS, "my new parcel is late"])


def test_what_is_explained_has_the_vectors_of_the_train_set(cli: Cli, dataset: Path, model: Path):
    """A text that is in it, beside others and beside one that cannot be embedded, is answered as it is alone."""
    texts = ["so so", TEXTS[0], " ", TEXTS[12], "my refund"]
    plain = cli("predict", "-m", model, "--json", *texts).stdout.splitlines()
    explained = cli("predict", "-m", model, "--json", "--explain", "--train-set", dataset, *texts).stdout.splitlines()
    for one, other in zip(map(json.loads, plain), map(json.loads, explained), strict=True):
        assert {key: other[key] for key in one} == one
    assert json.loads(explained[3])["for"][0]["text"] == TEXTS[12]
