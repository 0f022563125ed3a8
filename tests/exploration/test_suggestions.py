"""Which rows to label next."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import DATASETS, LABELS, QUICK, ROOT, TEXTS, write_csv
from embedclf.data.corpus import read_corpus
from running import Cli

PAGE = ROOT / "docs" / "exploring.md"

ADDED = ["predicted_label", "confidence", "runner_up_label", "runner_up_confidence", "score", "line"]
SURE = ["I forgot my password", "Where is my parcel?", "I want a refund"]
UNSURE = [
    "The refund for the lost parcel is late",
    "I cannot log in to see my delivery",
    "Money back because my account is locked",
    "hello there",
]


@pytest.fixture
def unlabelled() -> Path:
    """Texts between the classes, and some that are surely of one."""
    texts = [text for pair in zip(SURE, UNSURE, strict=False) for text in pair] + UNSURE[len(SURE) :]
    return write_csv(Path("inbox.csv"), [(str(number), text) for number, text in enumerate(texts)], ("id", "text"))


def rows_of(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_prints_what_a_person_decides_by(cli: Cli, unlabelled: Path, model: Path):
    """Where a row stands, between which labels it wavers, and its text."""
    done = cli("suggest", unlabelled, "-m", model, "-n", 2)
    assert done.exit_code == 0
    assert (
        done.stdout
        == """\
2 rows of inbox.csv to label next, of 7 without a label:
  :7  password (0.5689) or refund (0.4169)
    Money back because my account is locked
  :5  password (0.6595) or delivery (0.3112)
    I cannot log in to see my delivery
"""
    )
    assert done.stderr == "To write them to a file for labelling, use --output FILE.\n"


def test_the_unsure_come_before_the_sure(trained: embedclf.TextClassifier):
    """What the classifier knows already is not asked for while there is something else."""
    found = embedclf.suggest(trained, [*SURE, *UNSURE], 3)
    assert {one.text for one in found.rows} <= set(UNSURE)
    for one in found.rows:
        probabilities = np.sort(trained.predict_proba([one.text])[0].astype(float))
        assert one.predicted == trained.with_min_confidence(0).predict([one.text])[0]
        assert one.confidence == pytest.approx(probabilities[-1])
        assert one.runner_up != one.predicted
        assert one.runner_up_confidence == pytest.approx(probabilities[-2])
        assert one.score == pytest.approx(1 - probabilities[-1] + probabilities[-2])


def test_the_written_rows_are_to_be_filled_in(cli: Cli, unlabelled: Path, model: Path):
    """They keep their own columns, in the order in which to label them; the label is empty."""
    printed = json.loads(cli("suggest", unlabelled, "-m", model, "-n", 3, "--output", "next.csv", "--json").stdout)
    rows = rows_of("next.csv")
    assert list(rows[0]) == ["id", "text", "label", *ADDED]
    assert [row["label"] for row in rows] == [""] * 3
    assert [row["text"] for row in rows] == [one["text"] for one in printed["rows"]]
    assert [int(row["id"]) + 2 for row in rows] == [one["line"] for one in printed["rows"]]
    assert [int(row["line"]) for row in rows] == [one["line"] for one in printed["rows"]]
    assert [row["predicted_label"] for row in rows] == [one["predicted"] for one in printed["rows"]]
    assert [row["runner_up_label"] for row in rows] == [one["runner_up"] for one in printed["rows"]]
    assert [float(row["score"]) for row in rows] == pytest.approx([one["score"] for one in printed["rows"]], abs=1e-4)
    assert all(
        0 <= one["confidence"] - float(row["confidence"]) < 1e-4 for row, one in zip(rows, printed["rows"], strict=True)
    )


def test_the_json_has_all_of_it(cli: Cli, unlabelled: Path, model: Path):
    """One object, with its rows by line, and what it took."""
    printed = json.loads(cli("suggest", unlabelled, "-m", model, "-n", 1, "--json").stdout)
    (row,) = printed.pop("rows")
    assert printed.pop("usage")["requests"] == 0
    assert printed == {"n_labelled": 0, "n_excluded": 0, "n_texts": 7}
    assert list(row) == ["text", "predicted", "confidence", "runner_up", "runner_up_confidence", "score", "line"]


def test_rows_with_a_label_are_left_out(cli: Cli, model: Path):
    """They are counted, not suggested; the file's own column of labels is the one to fill in."""
    path = write_csv(Path("part.csv"), [("", UNSURE[0]), ("refund", UNSURE[1]), ("", UNSURE[2])], ("label", "text"))
    done = cli("suggest", path, "-m", model, "--output", "next.csv")
    assert done.stderr == "Skipped 1 labelled row\nWrote 2 rows to next.csv\n"
    assert done.stdout.startswith("2 rows of part.csv to label next, of 2 without a label:\n")
    rows = rows_of("next.csv")
    assert list(rows[0]) == ["label", "text", *ADDED]
    assert {row["text"]: row["label"] for row in rows} == {UNSURE[0]: "", UNSURE[2]: ""}


def test_rows_suggested_before_are_not_suggested_again(cli: Cli, unlabelled: Path, model: Path):
    """Nor any others whose text is in a file to exclude; if nothing is left, that is an error."""
    cli("suggest", unlabelled, "-m", model, "-n", 3, "-o", "first.csv")
    done = cli("suggest", unlabelled, "-m", model, "--exclude", "first.csv", "-o", "second.csv", "--json")
    assert done.stderr == "Skipped 3 rows excluded by first.csv\nWrote 4 rows to second.csv\n"
    assert json.loads(done.stdout)["n_excluded"] == 3
    both = [row["text"] for path in ("first.csv", "second.csv") for row in rows_of(path)]
    assert sorted(both) == sorted([*SURE, *UNSURE])
    done = cli("suggest", unlabelled, "-m", model, "--exclude", "first.csv", "--exclude", "second.csv")
    assert done.stderr == "Error: inbox.csv: nothing to suggest: all 7 rows are in the excluded files\n"
    done = cli("suggest", unlabelled, "-m", model, "--exclude", "first.csv", "-o", "first.csv")
    assert "is the same file as --exclude first.csv" in done.stderr


def test_a_file_whose_rows_all_have_labels_is_an_error(cli: Cli, dataset: Path, model: Path):
    """There is nothing to suggest, and no file is left behind."""
    done = cli("suggest", dataset, "-m", model, "--output", "next.csv")
    assert done.exit_code == 1
    assert done.stderr == f"Error: {dataset}: nothing to suggest: all 30 rows are already labelled\n"
    assert not Path("next.csv").exists()


def test_json_lines_that_are_not_alike_get_a_label_each(cli: Cli, model: Path):
    """A record without the key gets it; the digits of the others stay as they were written."""
    lines = [f'{{"text": "{UNSURE[0]}", "label": null, "price": 1.50}}', f'{{"text": "{UNSURE[1]}"}}']
    Path("inbox.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert cli("suggest", "inbox.jsonl", "-m", model, "--output", "next.jsonl").exit_code == 0
    written = Path("next.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["label"] is None for line in written)
    assert any(line.startswith(lines[0][:-1]) for line in written)


def test_near_copies_are_suggested_once(cli: Cli, model: Path):
    """However many there are, and even if nothing else is left to suggest."""
    copies = [(UNSURE[0],), (UNSURE[0],), (f"{UNSURE[0]} 2",), (UNSURE[1],), (f"{UNSURE[0]} 3",)]
    done = cli("suggest", write_csv(Path("inbox.csv"), copies, ("text",)), "-m", model)
    assert done.stdout.startswith("2 rows of inbox.csv to label next, of 5 without a label:\n")
    assert done.stderr.startswith("No more suggestions: near-duplicates of these are left out (3 rows)\n")


def test_no_two_suggestions_are_near_copies(trained: embedclf.TextClassifier):
    """Also among hundreds, which are chosen part by part, from vectors that lie closely together."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 256))
    vectors = np.repeat(centres, 50, axis=0) + rng.normal(scale=0.25, size=(3_000, 256))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = embedclf.suggest(trained, [f"text {number}" for number in range(3_000)], 400, vectors=vectors)
    of_rows = vectors[[one.row for one in found.rows]]
    assert len(found.rows) == 400
    assert (of_rows @ of_rows.T - np.eye(400)).max() < 0.95
    # what a near-duplicate is, is not what there are none of
    assert (vectors @ vectors.T - np.eye(3_000)).max() >= 0.95


def test_the_most_uncertain_alone_are_not_what_is_suggested(trained: embedclf.TextClassifier):
    """Of a crowd of like texts one is enough: one of another crowd, though a little surer, comes before a second."""
    model = embedclf.LinearModel(np.array([[0, 1, 0], [0, 0, 0]], np.float32), np.zeros(2, np.float32), ("a", "b"))
    rng = np.random.default_rng(0)
    vectors = np.repeat([[1.0, 0.0, 0.0], [0.0, 0.1, 1.0]], [10, 6], axis=0)
    vectors += rng.normal(scale=0.3, size=(16, 3)) * [1, 0, 1]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    classifier = embedclf.TextClassifier(trained.embedder, model, trained.card)
    found = embedclf.suggest(classifier, [f"text {number}" for number in range(16)], 2, vectors=vectors)
    assert sorted(one.row < 10 for one in found.rows) == [False, True]
    assert all(one.score < 1 for one in found.rows if one.row >= 10)


@pytest.mark.parametrize("n", [1, 7, 1_000])
def test_any_number_may_be_asked_for(trained: embedclf.TextClassifier, n: int):
    """No more are given than there are, and of one text it is that."""
    texts = [*SURE, *UNSURE]
    assert len(embedclf.suggest(trained, texts, n).rows) == min(n, 7)
    assert [one.text for one in embedclf.suggest(trained, texts[:1], n).rows] == texts[:1]
    assert embedclf.suggest(trained, [], n) == embedclf.Suggestions(0, ())


def test_a_number_below_one_is_refused(trained: embedclf.TextClassifier, cli: Cli):
    """In Python by an error, on the command line by its usage."""
    with pytest.raises(embedclf.ArgumentError, match="n must be an integer of at least 1, not 0"):
        embedclf.suggest(trained, UNSURE, 0)
    with pytest.raises(TypeError, match=r"n must be an integer, not 2\.5"):
        embedclf.suggest(trained, UNSURE, 2.5)
    assert cli("suggest", "inbox.csv", "-n", 0).exit_code == 2


def test_stopping_early_is_no_mistake(trained: embedclf.TextClassifier):
    """The first of many are what would be suggested of few, as long as the candidates are the same."""
    texts = [row.text for row in read_corpus(DATASETS / "support_tickets_test.csv").rows]
    many = embedclf.suggest(trained, texts, 40).rows
    assert embedclf.suggest(trained, texts, 20).rows == many[:20]
    assert embedclf.suggest(trained, texts, 40).rows == many


def test_abstaining_plays_no_part(cli: Cli, unlabelled: Path, model: Path, trained: embedclf.TextClassifier):
    """A classifier that abstains suggests the same as one that always answers, and its likeliest labels."""
    trained.with_min_confidence(0.99).save("careful.safetensors")
    careful = cli("suggest", unlabelled, "-m", "careful.safetensors").stdout
    assert careful == cli("suggest", unlabelled, "-m", model).stdout


def test_a_model_with_an_out_of_scope_label_suggests(cli: Cli, unlabelled: Path):
    """That label is never among those it wavers between."""
    texts, labels = [*TEXTS, "nice weather", "what a game", "we sang"], [*LABELS, "other", "other", "other"]
    embedclf.train(texts, labels, out_of_scope_label="other").save("scope.safetensors")
    printed = json.loads(cli("suggest", unlabelled, "-m", "scope.safetensors", "--json").stdout)
    assert {one[key] for one in printed["rows"] for key in ("predicted", "runner_up")} <= set(LABELS)
    classifier = embedclf.load("scope.safetensors")
    (row,) = embedclf.suggest(classifier, ["what a game"], 1).rows
    outside = 1 - classifier.predict_proba(["what a game"]).sum()
    assert row.score == pytest.approx(1 - abs(outside - row.confidence), abs=1e-6)


def test_vectors_at_hand_are_used(trained: embedclf.TextClassifier):
    """They give what embedding gives; such as are not the classifier's are refused."""
    vectors = trained.embedder.embed(UNSURE)
    assert embedclf.suggest(trained, UNSURE, 2, vectors=vectors) == embedclf.suggest(trained, UNSURE, 2)
    embedded = embedclf.EmbeddedTexts(UNSURE, embedder=trained.embedder)
    assert embedclf.suggest(trained, embedded, 2) == embedclf.suggest(trained, UNSURE, 2)
    with pytest.raises(embedclf.EmbedclfError, match="got 4 texts but 3 vectors"):
        embedclf.suggest(trained, UNSURE, 2, vectors=vectors[:3])
    with pytest.raises(embedclf.EmbedderError, match="vectors with 8 dimensions"):
        embedclf.suggest(trained, UNSURE, 2, vectors=vectors[:, :8])


def test_texts_that_are_surely_labelled_are_spread_all_the_same(trained: embedclf.TextClassifier):
    """Where no text is uncertain at all, nothing is divided by zero."""
    sure = embedclf.LinearModel(trained.model.weights, np.array([1e3, 0, -1e3], np.float32), trained.classes)
    found = embedclf.suggest(embedclf.TextClassifier(trained.embedder, sure, trained.card), TEXTS, 5)
    assert [one.score for one in found.rows] == [0.0] * 5


def test_the_standard_input_is_read(process, model: Path):
    """And a text's control characters do not reach the terminal."""
    done = process("suggest", "-", "-m", model, stdin='{"text": "my parcel \\u001b[31m or my money"}\n')
    assert done.returncode == 0, done.stderr
    head, place, text = done.stdout.splitlines()
    assert head == "1 row of stdin to label next, of 1 without a label:"
    assert place.startswith("  :1  ")
    assert text == r"    my parcel \x1b[31m or my money"


def test_only_what_has_no_label_is_paid_for(cli: Cli, api: AimlapiServer):
    """Of texts that are sent, the labelled ones are not; a dry run sends nothing."""
    embedclf.train(TEXTS, LABELS, **QUICK).save("m.safetensors")
    before = len(api.texts_sent)
    write_csv(Path("part.csv"), [(UNSURE[0], ""), (UNSURE[1], "refund")])
    done = cli("suggest", "part.csv", "-m", "m.safetensors", "--dry-run")
    assert done.stdout.startswith("1 row, 1 unique, 0 cached, 1 to embed")
    assert len(api.texts_sent) == before
    assert cli("suggest", "part.csv", "-m", "m.safetensors").exit_code == 0
    assert len(api.texts_sent) == before + 1


def test_a_refused_text_is_named_or_left_out(cli: Cli, api: AimlapiServer):
    """By its line in the file; what is suggested is of the right line, too."""
    embedclf.train(TEXTS, LABELS, **QUICK).save("m.safetensors")
    api.fault = lambda request: error(400, "flagged") if "poison" in request.texts else None
    write_csv(Path("inbox.csv"), [("poison",), (UNSURE[0],)], ("text",))
    done = cli("suggest", "inbox.csv", "-m", "m.safetensors", "--output", "next.csv")
    assert done.exit_code == 1
    assert "inbox.csv:2: " in done.stderr
    assert not Path("next.csv").exists()
    done = cli("suggest", "inbox.csv", "-m", "m.safetensors", "--output", "next.csv", "--skip-bad-rows")
    assert done.exit_code == 0
    assert "  :3  " in done.stdout
    assert [row["text"] for row in rows_of("next.csv")] == [UNSURE[0]]


def test_a_bad_row_is_named_or_left_out(cli: Cli, model: Path):
    """As everywhere."""
    write_csv(Path("inbox.csv"), [(" ",), (UNSURE[0],)], ("text",))
    assert "inbox.csv:2: the text is empty" in cli("suggest", "inbox.csv", "-m", model).stderr
    assert cli("suggest", "inbox.csv", "-m", model, "--skip-bad-rows").exit_code == 0


def test_the_output_takes_the_place_of_nothing_that_is_read(cli: Cli, unlabelled: Path, model: Path):
    """Neither of the file nor of the model."""
    for path, name in ((unlabelled, "the file"), (model, "the model")):
        before = path.read_bytes()
        done = cli("suggest", unlabelled, "-m", model, "--output", path)
        assert done.exit_code == 1
        assert f"is the same file as {name} " in done.stderr
        assert path.read_bytes() == before


def test_the_filled_in_rows_are_trained_on_with_the_old_ones(
    cli: Cli, process, dataset: Path, unlabelled: Path, model: Path
):
    """As docs/exploring.md says: joined to one file, whatever other columns there are; the rest stays out."""
    cli("suggest", unlabelled, "-m", model, "-n", 3, "--output", "suggested.csv")
    rows = rows_of("suggested.csv")
    rows[0]["label"], rows[1]["label"] = "delivery", "refund"
    with Path("suggested.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    scripts = [block.partition("```")[0] for block in PAGE.read_text(encoding="utf-8").split("```sh\n")]
    (script,) = (script for script in scripts if script.startswith("python -c"))
    script = script.replace("python", sys.executable, 1).replace("datasets/support_tickets.csv", str(dataset))
    subprocess.run(["bash", "-euc", script], check=True, timeout=60)
    done = cli("train", "joined.csv", "-o", "next.safetensors")
    assert done.exit_code == 0, done.output
    assert "joined.csv: 32 rows, 3 labels\n" in done.stderr


def test_one_file_is_labelled_bit_by_bit(cli: Cli):
    """As docs/exploring.md says: train leaves out the rows without a label, suggest those with one."""
    rows = [*zip(TEXTS, LABELS, strict=True), *((text, "") for text in UNSURE)]
    write_csv(Path("all.csv"), [(f'"{text}"', label) for text, label in rows])
    assert "all.csv: 30 rows, 3 labels\n" in cli("train", "all.csv", "--skip-bad-rows").stderr
    done = cli("suggest", "all.csv")
    assert "Skipped 30 labelled rows\n" in done.stderr
    assert done.stdout.startswith("4 rows of all.csv to label next, of 4 without a label:\n")
