"""The gate of ``embedclf evaluate``: what is required, what comes of it, and where it is said."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import embedclf
from corpus import LABELS, QUICK, SETS, TEXTS
from embedclf.evaluation.gate import Gate, Judged
from embedclf.printing.gates import gate_junit, gate_markdown
from embedclf.stats.intervals import Interval
from running import Cli


def gate_of(shown: str) -> list[str]:
    return shown.partition("\nGate:\n")[2].splitlines()


def test_all_is_met(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    """Shares may be percentages, and the baseline is one more requirement."""
    wanted = ("accuracy=0.8", "macro_f1=70%", "recall.refund=0.5", "precision.refund=0.5", "f1.refund=50", "coverage=1")
    asked = [word for one in wanted for word in ("--fail-under", one)]
    result = cli("evaluate", dataset, "-m", models[1], *asked, "--baseline", models[0])
    assert result.exit_code == 0, result.output
    assert gate_of(result.stdout) == [
        "requirement                        floor         measured (95 %)  result",
        "accuracy                           0.800  1.000 (0.884 to 1.000)  passes",
        "macro-f1                           0.700  1.000 (0.884 to 1.000)  passes",
        "recall of refund                   0.500  1.000 (0.692 to 1.000)  passes",
        "precision of refund                0.500  1.000 (0.692 to 1.000)  passes",
        "f1 of refund                       0.500  1.000 (0.692 to 1.000)  passes",
        "coverage                           1.000  1.000 (1.000 to 1.000)  passes",
        "accuracy against old.safetensors  -0.010  0.333 (0.112 to 0.530)  passes",
        "The gate passes.",
    ]


def test_something_fails(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    """The exit code is 3, also if something else cannot be told."""
    old, new = models
    asked = ("--fail-under", "accuracy=0.9", "--fail-under", "recall.refund=0.8", "--baseline", new)
    result = cli("evaluate", dataset, "-m", old, *asked)
    assert result.exit_code == 3
    assert gate_of(result.stdout) == [
        "requirement                        floor            measured (95 %)  result",
        "accuracy                           0.900     0.667 (0.460 to 0.826)  fails",
        "recall of refund                   0.800     1.000 (0.692 to 1.000)  cannot tell",
        "accuracy against new.safetensors  -0.010  -0.333 (-0.540 to -0.118)  fails",
        "Recall of refund: 1.000 (95 % interval 0.692 to 1.000), which may or may not be below 0.8. Roughly 24 "
        "rows would be enough, instead of 10.",
        "The gate fails.",
    ]
    assert cli("evaluate", dataset, "-m", old, "--baseline", new, "--cannot-tell", "pass").exit_code == 3


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ((), 4, "The gate cannot tell (exit code 4): use more rows, or --cannot-tell pass or fail."),
        (("--cannot-tell", "pass"), 0, "The gate cannot tell, and passes (--cannot-tell pass)."),
        (("--cannot-tell", "fail"), 3, "The gate cannot tell, and fails (--cannot-tell fail)."),
    ],
)
def test_it_cannot_be_told(
    cli: Cli, dataset: Path, models: tuple[Path, Path], asked: tuple[str, ...], code: int, said: str
):
    """A measured accuracy of 1 with 30 rows does not show one of 0.95."""
    result = cli("evaluate", dataset, "-m", models[1], "--fail-under", "accuracy=0.95", *asked)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (code, said)


def test_the_figures_are_those_of_the_evaluation(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    asked = ("--fail-under", "accuracy=0.5", "--fail-under", "macro-f1=0.5")
    shown = json.loads(cli("evaluate", dataset, "-m", models[0], *asked, "--json").stdout)
    accuracy, macro_f1 = shown["gate"]["requirements"]
    assert (accuracy["value"], accuracy["interval"]) == (shown["accuracy"], shown["accuracy_interval"])
    assert (macro_f1["value"], macro_f1["interval"]) == (shown["macro_f1"], shown["macro_f1_interval"])
    assert shown["gate"]["outcome"] == "cannot tell"
    assert "gate" not in json.loads(cli("evaluate", dataset, "-m", models[0], "--json").stdout)


def test_the_same_model_passes_however_few_rows(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    assert cli("evaluate", dataset, "-m", models[1], "--baseline", models[1]).exit_code == 0


def test_several_labels(cli: Cli):
    shown = [f'"{text}",{"|".join(own)}\n' for text, own in zip(TEXTS, SETS, strict=True)]
    Path("test.csv").write_text("text,labels\n" + "".join(shown))
    embedclf.train(TEXTS, [list(one) for one in SETS], embedder="wordllama", **QUICK).save("m.safetensors")
    names = ("micro-f1", "macro-f1", "exact-match", "recall.urgent", "precision.urgent", "f1.urgent")
    asked = [word for name in names for word in ("--fail-under", f"{name}=0.01")]
    result = cli("evaluate", "test.csv", "-m", "m.safetensors", *asked, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    values = [one["value"] for one in report["gate"]["requirements"]]
    own = report["per_label"]["urgent"]
    assert values[:3] == [report["micro_f1"], report["macro_f1"], report["exact_match"]]
    assert values[3:] == pytest.approx([own["recall"], own["precision"], own["f1"]])
    wrong = cli("evaluate", "test.csv", "-m", "m.safetensors", "--fail-under", "accuracy=0.5")
    assert wrong.exit_code == 2
    assert (
        "accuracy is not a metric for texts with several labels: use micro-f1, macro-f1, exact-match." in wrong.stderr
    )


def test_labels_with_signs_in_them(cli: Cli, dataset: Path):
    """Dots, equals signs and spaces; the last equals sign is that of the floor."""
    names = {"delivery": "a.b=c", "password": "x y", "refund": "50%"}
    labels = [names[label] for label in LABELS]
    embedclf.train(TEXTS, labels, embedder="wordllama", **QUICK).save("m.safetensors")
    rows = [f'"{text}",{label}\n' for text, label in zip(TEXTS, labels, strict=True)]
    Path("test.csv").write_text("text,label\n" + "".join(rows))
    asked = ("--fail-under", "recall.a.b=c=0.5", "--fail-under", "f1.x y = 0.5", "--fail-under", "precision.50%=50%")
    shown = json.loads(cli("evaluate", "test.csv", "-m", "m.safetensors", *asked, "--json").stdout)
    named = [one["name"] for one in shown["gate"]["requirements"]]
    assert named == ["recall of a.b=c", "f1 of x y", "precision of 50%"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--fail-under", "acuracy=0.9"), "there is no metric 'acuracy'; did you mean 'accuracy'?"),
        (("--fail-under", "colour=0.9"), "there is no metric 'colour'; it is one of accuracy, macro-f1, coverage, "),
        (("--fail-under", "accuracy"), "must be METRIC=SHARE, such as accuracy=0.9 or recall.refund=80%"),
        (("--fail-under", "accuracy=high"), "'high' is not a share such as 0.95 or 95%."),
        (("--fail-under", "recall=0.9"), "recall needs a label, as in recall.refund."),
        (("--fail-under", "accuracy.refund=0.9"), "accuracy is about all labels, so it takes no label"),
        (("--fail-under", "recall.refnd=0.9"), "neither the model nor the file has the label 'refnd'; did you mean"),
        (("--fail-under", "recall.zzz=0.9"), "has the label 'zzz'; the labels are 'delivery', 'password', 'refund'."),
        (
            ("--fail-under", "micro-f1=0.9"),
            "micro-f1 is not a metric for texts with one label: use accuracy, macro-f1, ",
        ),
        (("--fail-under", "accuracy=0.9", "--fail-under", "Accuracy=0.8"), "'Accuracy' was given twice."),
        (("--junit", "j.xml"), "--junit needs a requirement: --fail-under METRIC=SHARE or --baseline OLD."),
        (("--cannot-tell", "pass"), "--cannot-tell needs a requirement"),
    ],
)
def test_what_cannot_be_required(
    cli: Cli, dataset: Path, models: tuple[Path, Path], asked: tuple[str, ...], message: str
):
    """A usage error, with a suggestion, before anything is embedded or written."""
    result = cli("evaluate", dataset, "-m", models[1], *asked)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("j.xml").exists()


def test_other_errors_are_no_outcome(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    """So that a pipeline does not take a broken run for a bad model."""
    result = cli("evaluate", "missing.csv", "-m", models[1], "--fail-under", "accuracy=0.5")
    assert result.exit_code == 1
    assert cli("evaluate", dataset, "-m", models[1], "--baseline", "missing.safetensors").exit_code == 1
    over = cli("evaluate", dataset, "-m", models[1], "--fail-under", "accuracy=0.5", "--junit", dataset)
    assert (over.exit_code, "is the same file as" in over.stderr) == (1, True)


def test_a_label_without_rows_cannot_be_told(cli: Cli, models: tuple[Path, Path]):
    Path("test.csv").write_text("text,label\nWhere is my parcel?,delivery\nMy parcel is late,delivery\n")
    result = cli("evaluate", "test.csv", "-m", models[1], "--fail-under", "recall.refund=0.5")
    assert result.exit_code == 4
    assert "Recall of refund: there are no rows to measure it on.\n" in result.stdout


def test_macro_f1_takes_ten_rows_a_label(cli: Cli, models: tuple[Path, Path]):
    """Its interval is too narrow with fewer, so it is not gone by."""
    rows = [row for place, row in enumerate(zip(TEXTS, LABELS, strict=True)) if place % 5]
    Path("test.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    result = cli("evaluate", "test.csv", "-m", models[1], "--fail-under", "macro-f1=0.1")
    assert result.exit_code == 4
    assert result.stdout.endswith(
        "but with fewer than 10 rows per label, the interval is too narrow to rely on. Roughly 30 rows would be "
        "enough, instead of 24.\n"
        "The gate cannot tell (exit code 4): use more rows, or --cannot-tell pass or fail.\n"
    )


def test_files_for_a_code_host(cli: Cli, dataset: Path, models: tuple[Path, Path]):
    """One test case per requirement, in the order of the command; the summary is appended to the steps before."""
    Path("summary.md").write_text("# Before\n")
    asked = ("--fail-under", "accuracy=0.9", "--fail-under", "recall.refund=0.8", "--fail-under", "recall.refund=0.6")
    written = ("--junit", "gate.xml", "--summary", "summary.md")
    assert cli("evaluate", dataset, "-m", models[0], *asked, *written).exit_code == 2  # one is given twice
    result = cli("evaluate", dataset, "-m", models[0], *asked[:4], "--fail-under", "f1.delivery=0.3", *written)
    assert result.exit_code == 3
    suites = ElementTree.parse("gate.xml").getroot()
    assert suites.attrib == {"tests": "3", "failures": "1", "errors": "1"}
    (suite,) = suites
    counts = {"tests": "3", "failures": "1", "errors": "1", "skipped": "0"}
    assert suite.attrib == {"name": "Evaluation of old.safetensors on small.csv"} | counts
    cases = [(case.get("name"), [inner.tag for inner in case]) for case in suite]
    assert cases == [
        ("accuracy", ["failure"]),
        ("recall of refund", ["error"]),
        ("f1 of delivery", ["system-out"]),
    ]
    said = suite[0][0].get("message")
    assert said == suite[0][0].text == "Accuracy: 0.667 (95 % interval 0.460 to 0.826), below 0.9."
    summary = Path("summary.md").read_text()
    assert summary.startswith("# Before\n### Evaluation of old.safetensors on small.csv\n\n**The gate fails.**\n")
    assert "| accuracy | 0.900 | 0.667 (0.460 to 0.826) | fails |\n" in summary


HOSTILE = "a|b`c`]]><x>&\"'\n\x00\x1b[31m@me #1 [l](http://e.org) www.e.org *b* _i_ \ud800\ufffe"


def test_names_are_no_markup():
    """Whatever a label is called, the XML is well-formed, and the table keeps its rows and cells."""
    one = Judged(f"recall of {HOSTILE}", 0.9, 0.5, Interval(0.4, 0.6), 20, "fails")
    other = Judged("accuracy", 0.9, None, None, 0, "cannot tell")
    for cannot_tell, tag in ((None, "error"), ("pass", "skipped"), ("fail", "failure")):
        written = gate_junit(Gate((one, other)), HOSTILE, cannot_tell).encode()
        suites = ElementTree.fromstring(written)
        names = [case.get("name", "") for case in suites.iter("testcase")]
        assert names[0].startswith("recall of a|b`c`]]><x>&\"'")
        assert [case[0].tag for case in suites.iter("testcase")] == ["failure", tag]
    markdown = gate_markdown(Gate((one,)), HOSTILE, None)
    (row,) = [line for line in markdown.splitlines() if line.startswith("| recall")]
    assert row.replace(r"\|", "").count("|") == 5
    for markup in ("<x>", "[l](", "b`c`", "@me", "#1", "http://", "www.e", " *b*", " _i_", "\x1b", "\x00"):
        assert markup not in markdown
