"""``embedclf label``: from a file of texts to a labelled one, a test set, and a classifier."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICKLY, TEXTS
from embedclf.data.corpus import read_corpus
from embedclf.labelling.session import Session
from running import Cli

LABEL_OF = dict(zip(TEXTS, LABELS, strict=True))


class Person:
    """Stands for the page and whoever labels in it."""

    def __init__(self) -> None:
        self.n_texts = 0
        self.label: Callable[[Any], tuple[str, ...]] = lambda question: (LABEL_OF[question.text],)
        self.asked: list[Any] = []
        self.read_last = ""

    def serve(
        self,
        session: Session,
        *,
        port: int,
        on_ready: Callable[[str], None],
        open_browser: bool,
        ended: Callable[[], str],
    ) -> None:
        on_ready(f"http://127.0.0.1:{port}/?token=t")
        shown = session.ask("window")
        for _ in range(self.n_texts):
            if shown is None:
                break
            self.asked.append(shown)
            shown = session.answer("window", shown.row, self.label(shown), revision=shown.revision)
        self.read_last = ended()


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    one = Person()
    module = SimpleNamespace(serve=one.serve, check_installed=lambda: None)
    monkeypatch.setitem(sys.modules, "embedclf.labelling.server", module)
    return one


@pytest.fixture
def inbox() -> Path:
    path = Path("inbox.csv")
    path.write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS))
    return path


def test_from_texts_to_a_classifier(cli: Cli, person: Person, inbox: Path):
    """What it says at the end is what to type next, and that works."""
    person.n_texts = 20
    done = cli("label", inbox, "-o", "labelled.csv", "--order", "random", "--port", 1234, "--no-browser")
    assert done.exit_code == 0, done.output
    assert done.stderr == (
        "inbox.csv: 30 rows\n"
        "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n"
        "Label at http://127.0.0.1:1234/?token=t (Ctrl-C to stop)\n"
        "Wrote labelled.csv (18 of 28 rows labelled) and labelled_test.csv (2 rows, drawn at random)\n"
        "To continue labelling, run the same command again.\n"
        "Train with: embedclf train labelled.csv --skip-bad-rows\n"
        "Then measure with: embedclf evaluate labelled_test.csv\n"
    )
    assert done.stdout == ""
    assert person.read_last == "\n".join(done.stderr.splitlines()[-4:])
    assert cli("train", "labelled.csv", "--skip-bad-rows", *QUICKLY).exit_code == 0
    assert cli("evaluate", "labelled_test.csv").exit_code == 0


def test_the_same_command_goes_on(cli: Cli, person: Person, inbox: Path):
    person.n_texts = 20
    command = ("label", inbox, "-o", "labelled.csv", "--test-share", "0")
    cli(*command)
    first = list(person.asked)
    done = cli(*command, "--json")
    assert "Continuing: 20 texts labelled so far\n" in done.stderr
    assert len({one.text for one in person.asked}) == 30
    assert person.asked[: len(first)] == first
    assert done.stderr.endswith("Wrote labelled.csv (30 rows)\nTrain with: embedclf train labelled.csv\n"), done.stderr
    shown = json.loads(done.stdout)
    del shown["usage"]
    assert shown == {
        "output": "labelled.csv",
        "test_set": None,
        "n_rows": 30,
        "n_labelled": 30,
        "n_skipped": 0,
        "n_test": 0,
        "n_changed": 0,
        "labels": {"delivery": 10, "password": 10, "refund": 10},
    }
    assert read_corpus("labelled.csv").labels == LABELS


def test_checking_labels(cli: Cli, person: Person):
    """The likely errors are asked, with the label that each has and the one that it should have."""
    wrong = dict(LABEL_OF)
    wrong[TEXTS[4]], wrong[TEXTS[14]] = "password", "delivery"
    Path("tickets.csv").write_text("text,label\n" + "".join(f'"{text}",{wrong[text]}\n' for text in TEXTS))
    person.n_texts = 99
    done = cli("label", "tickets.csv", "-o", "corrected.csv", "--order", "check")
    assert done.exit_code == 0, done.output
    assert {4, 14} <= {one.row for one in person.asked}
    assert all(one.guesses[0].label == wrong[one.text] for one in person.asked)
    assert not any(one.is_test for one in person.asked)
    assert read_corpus("corrected.csv").labels == LABELS
    assert "Wrote corrected.csv (30 rows, 2 labels changed)\nTrain with: embedclf train corrected.csv\n" in done.stderr


def test_a_labelled_file_has_nothing_to_label(cli: Cli, person: Person, dataset: Path):
    done = cli("label", dataset, "-o", "labelled.csv")
    assert done.exit_code == 1
    assert done.stderr.endswith(
        "small.csv: nothing to label: all 30 rows are already labelled. "
        'To check them, use --order check (in Python: order="check")\n'
    )
    assert not Path("labelled.csv.answers").exists()


def test_nothing_labelled_nothing_written(cli: Cli, person: Person, inbox: Path):
    done = cli("label", inbox, "-o", "labelled.csv")
    assert done.stderr.endswith("Nothing was labelled, so nothing was written.\n")
    assert [path.name for path in Path().iterdir()] == ["inbox.csv"]


def test_several_labels_and_labels_from_the_start(cli: Cli, person: Person, inbox: Path):
    person.n_texts = 12
    person.label = lambda question: (LABEL_OF[question.text], "any")
    done = cli("label", inbox, "-o", "labelled.csv", "--several", "--label", "other", "--label", "any", "--seed", 3)
    assert done.exit_code == 0, done.output
    assert {one.label for one in person.asked[0].guesses} == {"any", "other"}
    assert "--label-separator" not in done.stderr
    corpus = read_corpus("labelled.csv", skip_bad_rows=True)
    assert corpus.is_multilabel
    assert all("any" in labels for labels in corpus.label_sets or ())


def test_the_options_of_the_file_are_repeated(cli: Cli, person: Person):
    Path("inbox.csv").write_text("my words,what\n" + "".join(f'"{text}",\n' for text in TEXTS))
    person.n_texts = 10
    done = cli("label", "inbox.csv", "-o", "l.csv", "--text-column", "my words", "--label-column", "what")
    assert "embedclf train l.csv --text-column 'my words' --label-column what --skip-bad-rows\n" in done.stderr
    assert read_corpus("l.csv", text_column="my words", label_column="what", skip_bad_rows=True).rows


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("inbox.csv", "--output inbox.csv is the same file as the input inbox.csv: choose another"),
        ("labelled.xyz", "the output must end in .csv, .tsv, .jsonl, .parquet or .xlsx"),
    ],
)
def test_an_output_that_cannot_be(cli: Cli, person: Person, inbox: Path, output: str, message: str):
    before = inbox.read_text()
    done = cli("label", inbox, "-o", output)
    assert done.exit_code == 1
    assert message in done.stderr
    assert inbox.read_text() == before


def test_the_test_set_does_not_replace_the_file(cli: Cli, person: Person, inbox: Path):
    inbox.rename("labelled_test.csv")
    done = cli("label", "labelled_test.csv", "-o", "labelled.csv")
    assert done.exit_code == 1
    assert "the test set labelled_test.csv is the same file as the input labelled_test.csv" in done.stderr


def test_a_dry_run_estimates(cli: Cli, api: AimlapiServer, person: Person, inbox: Path):
    done = cli("label", inbox, "-o", "labelled.csv", "--dry-run")
    assert done.exit_code == 0
    assert "30 to embed" in done.output
    assert api.n_requests == 0
    assert not person.asked
    assert [path.name for path in Path().iterdir()] == ["inbox.csv"]


def test_costs_are_capped(cli: Cli, api: AimlapiServer, person: Person, inbox: Path):
    done = cli("label", inbox, "-o", "labelled.csv", "--max-cost", "0.0000001")
    assert done.exit_code == 1
    assert api.n_requests == 0
    assert not person.asked


def test_a_missing_extra_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, inbox: Path):
    pytest.importorskip("embedclf.labelling.server")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    done = cli("label", inbox, "-o", "labelled.csv")
    assert done.exit_code == 1
    assert "pip install 'embedclf[label]'" in done.stderr


def test_training_counts_the_texts_that_are_not_labelled_yet(cli: Cli, dataset: Path):
    """It does not list them, as it lists other rows that cannot be used."""
    with Path("small.csv").open("a") as file:
        file.writelines(f"not yet {number},\n" for number in range(21))
        file.write(",delivery\n")
    done = cli("train", "small.csv", "--skip-bad-rows", *QUICKLY)
    assert done.exit_code == 0
    assert "Skipped 21 rows of small.csv without a label\n" in done.stderr
    assert "Skipped 1 row:\n  small.csv:53: the text is empty\n" in done.stderr
    assert "the label is empty" not in done.stderr
