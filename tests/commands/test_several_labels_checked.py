"""Texts with several labels each, as they are checked, corrected, suggested, shown and explained."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embedclf
from corpus import QUICK, SMALL
from running import Cli

ROWS: list[tuple[str, list[str]]] = [
    *((text, [label]) for label, texts in SMALL.items() for text in texts),
    *(
        (f"{one}. {other}", ["delivery", "refund"])
        for one, other in zip(SMALL["delivery"], SMALL["refund"], strict=True)
    ),
    *((text, []) for text in ("Good morning", "Thank you very much", "Bye now")),
]
MISLABELLED = ("The parcel was lost, refund me my money", ["password", "refund"])
VARIANT = ("My parcel is lost in the post again", ["Delivery"])
CHECKED = [*ROWS, MISLABELLED, VARIANT, (ROWS[0][0], ["delivery", "refund"]), (ROWS[1][0], ["password"])]
NAMES = ["Delivery", "delivery", "password", "refund"]
TEXTS, LABELS = [text for text, _ in CHECKED], [labels for _, labels in CHECKED]


def write(path: str, rows: Sequence[tuple[str, list[str]]] = CHECKED) -> None:
    """Write rows in the form that the name of the file stands for."""
    columns = {"text": [text for text, _ in rows], **{n: [n in own for _, own in rows] for n in NAMES}}
    if path.endswith(".jsonl"):
        Path(path).write_text("".join(json.dumps({"text": text, "label": own}) + "\n" for text, own in rows))
    elif path == "lists.parquet":
        pq.write_table(pa.table({"text": columns["text"], "label": [own for _, own in rows]}), path)
    elif path == "columns.parquet":
        pq.write_table(pa.table(columns), path)
    else:
        with Path(path).open("w", newline="") as file:
            if path == "columns.csv":
                cells = [[text, *(int(name in own) for name in NAMES)] for text, own in rows]
                csv.writer(file).writerows([["text", *NAMES], *cells])
            else:
                written = str if path == "pandas.csv" else lambda own: ";".join(reversed(own)) or "[]"
                csv.writer(file).writerows([["text", "label"], *([text, written(own)] for text, own in rows)])


@pytest.fixture(scope="module")
def several() -> embedclf.TextClassifier:
    texts, labels = [text for text, _ in ROWS], [own for _, own in ROWS]
    return embedclf.train(texts, labels, embedder="wordllama", **QUICK)


@pytest.mark.slow
def test_each_check_has_its_meaning_for_several_labels():
    """Classes are labels, and a finding shows all labels of a text."""
    found = embedclf.check(TEXTS, LABELS, embedder="wordllama")
    assert found.n_labels == 4
    assert [(one.label, one.detail) for one in found.of("small_classes")] == [("Delivery", "only 1 text")]
    assert [(one.label, one.suggested) for one in found.of("label_variants")] == [("Delivery", "delivery")]
    assert {(one.severity, one.label, one.detail) for one in found.of("conflicts")} == {
        ("warning", "delivery", "not all have refund"),
        ("warning", "delivery|refund", "not all have refund"),
        ("error", "delivery", ""),
        ("error", "password", ""),
    }
    assert not found.of("empty")
    assert set(found.diversity_by_label) == set(NAMES)
    of_text = {one.text: one for one in found.of("label_errors")}
    wrong = of_text[MISLABELLED[0]]
    assert wrong.detail.startswith("probably ")
    assert "probably wrong: password (0.0" in wrong.detail
    assert wrong.label == "password|refund"
    assert wrong.suggested in ("delivery|refund", "refund")
    assert "probably missing: " in of_text[ROWS[1][0]].detail
    assert embedclf.check(["a", "b"], [["x"], []], embedder="wordllama").of("single_class")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("separated.csv", ["--label-separator", ";"]),
        ("pandas.csv", []),
        ("lists.jsonl", []),
        ("lists.parquet", []),
        ("columns.csv", ["--label-columns", ",".join(NAMES)]),
        ("columns.parquet", ["--label-columns", ",".join(NAMES)]),
    ],
)
def test_corrections_are_written_in_the_form_of_the_file(cli: Cli, name: str, options: list[str]):
    """A cell of corrections holds all labels; rows without corrections stay."""
    write(name)
    separator = ";" if "separated" in name else "|"
    corrections = [
        {"line": 2, "text": TEXTS[0], "label": separator.join(["refund", "delivery"]), "original_label": "delivery"},
        {"line": 3, "text": TEXTS[1], "label": "[]", "original_label": "delivery"},
    ]
    if not name.endswith(".csv"):
        corrections = [{**one, "line": one["line"] - 1} for one in corrections]  # type: ignore[operator]
    Path("c.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corrections))
    expected = [(TEXTS[0], ["delivery", "refund"]), (TEXTS[1], []), *CHECKED[2:]]
    assert cli("apply", "c.jsonl", name, *options, "-o", f"out.{name}").exit_code == 0
    write(name, expected)
    if name.endswith(".parquet"):
        assert pq.read_table(f"out.{name}").equals(pq.read_table(name))
    elif "separated" in name:
        assert Path(f"out.{name}").read_text().splitlines()[1:3] == [f"{TEXTS[0]},delivery;refund", f"{TEXTS[1]},[]"]
    else:
        assert Path(f"out.{name}").read_text().splitlines() == Path(name).read_text().splitlines()


@pytest.mark.slow
def test_the_command_carries_the_options_for_several_labels(cli: Cli):
    """And its corrections hold whole cells, which apply takes as they are."""
    write("s.csv")
    assert "no label contains the separator '!'" in cli("check", "s.csv", "--label-separator", "!").stderr
    result = cli("check", "s.csv", "--label-separator", ";", "-o", "o.csv", "--report", "o.html", "--fix", "f.csv")
    assert "run embedclf apply o.csv s.csv --label-separator ';' -o FILE" in result.stderr
    assert "labelled password;refund, probably " in result.stdout
    assert "probably wrong: password" in Path("o.html").read_text()
    assert Path("f.csv").read_text().splitlines() == Path("s.csv").read_text().splitlines()
    with Path("o.csv").open() as file:
        rows = [{**row, "action": "relabel" * (row["kind"] == "label_variants")} for row in csv.DictReader(file)]
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = cli("apply", "c.jsonl", "s.csv", "--label-separator", ";", "-o", "out.csv")
    assert "(1 relabelled)" in done.stderr
    assert f"{VARIANT[0]},delivery" in Path("out.csv").read_text()
    Path("c.jsonl").write_text(json.dumps({"line": 2, "text": TEXTS[0], "label": "lost"}))
    write("columns.csv")
    refused = cli("apply", "c.jsonl", "columns.csv", "--label-columns", ",".join(NAMES), "-o", "out2.csv")
    assert "the file has no column for the label 'lost'" in refused.stderr


def test_texts_are_suggested_shown_and_explained_by_all_their_labels(several: embedclf.TextClassifier):
    """Joined; the second label of a suggestion is the one nearest to its threshold."""
    pool = ["Where is my money for the lost parcel?", "Good morning", "I want my money back"]
    found = embedclf.suggest(several, pool, 1)
    assert found.rows[0].text == pool[0]
    assert found.rows[0].runner_up in several.classes
    assert "least sure of" in str(found)
    texts, labels = [text for text, _ in ROWS], [own for _, own in ROWS]
    vectors = embedclf.EmbeddedTexts(texts, embedder="wordllama").vectors
    both = ROWS[-4]
    for more in ({}, {"vectors": vectors, "query_vector": vectors[-4]}):
        hit = embedclf.search(texts, both[0], 1, labels=labels, embedder="wordllama", **more).hits[0]
        assert (hit.text, hit.label) == (both[0], "delivery|refund")
    assert embedclf.text_map(texts, labels, vectors=vectors).labels[-4:] == ("delivery|refund", "", "", "")
    (why,) = embedclf.explain(several, ["I want my money back"], (texts, labels))
    assert why.label == "refund"
    assert all("refund" in one.label for one in why.supporting)
    assert not any("refund" in one.label for one in why.opposing)


def test_outputs_that_can_hold_lists_do(cli: Cli, several: embedclf.TextClassifier):
    """JSON and Parquet."""
    several.save("m.safetensors")
    write("in.csv", [("My parcel never came, I want my money back", []), ("Good morning", [])])
    for name in ("out.jsonl", "out.parquet"):
        assert cli("predict", "-m", "m.safetensors", "in.csv", "-o", name).exit_code == 0
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert set(rows[0]["predicted_labels"]) == {"delivery", "refund"}
    assert len(rows[0]["confidences"]) == 2
    assert (rows[1]["predicted_labels"], rows[1]["confidences"]) == ([], [])
    assert pq.read_table("out.parquet").to_pylist() == rows
