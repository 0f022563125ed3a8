"""embedclf check: is the data any good?"""

import json
import logging
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import DATASETS, LABELS, QUICK, QUICKLY, TEXTS, write_csv
from embedclf.data.corpus import read_corpus
from embedclf.quality.findings import KINDS
from running import Cli

UGLY = """\
id,text,label
1,Where is my parcel?,delivery
2,I want my money back,refund
3,I want my money back,delivery
4,Where is my parcel?,delivery
5,,refund
6,Please refund the broken lamp,Refund
7,where is my parcel,delivery
8,a,b,c,d
9,The courier never came with my package,
10,"Parcel lost,
in the post",delivery
11,When do I get my refund?,refund
12,I forgot my password,password
13,How long does a refund take?,refund
14,My delivery is a week late,delivery
15,I was promised a full refund,refund
16,Tracking has not moved since Monday,delivery
17,I was promised a full refnud,refund
"""
OTHER = """\
text,label
I forgot my password,login
Tracking has not moved since monday!,delivery
"""


@pytest.fixture
def ugly() -> str:
    Path("ugly.csv").write_text(UGLY, encoding="utf-8")
    Path("other.csv").write_text(OTHER, encoding="utf-8")
    return "ugly.csv"


def lines_of(shown: dict, kind: str) -> list[int]:
    return [finding["line"] for finding in shown[kind]]


class TestWhatAPersonSees:
    """The output, word by word."""

    @pytest.mark.slow
    def test_a_small_ugly_file(self, cli: Cli, ugly: str):
        """Errors first, each kind with what to do and file:line; then the diversity and the sum."""
        result = cli("check", ugly, "--against", "other.csv")
        assert result.exit_code == 1
        assert (
            result.stdout
            == """\
Error: 1 row that cannot be read
  Fix it in the file.
    :9  expected 3 fields as in the header, got 5 (extra: 'c', 'd')

Error: 2 rows without a text or label
  Fill them in, or drop them. --fix FILE writes a copy without the empty texts.
    :6  the text is empty: refund
    :10  the label is empty: The courier never came with my package

Error: 2 rows with conflicting labels for the same text
  Choose one label: no classifier can learn both.
    :3  refund: I want my money back
    :4  delivery: I want my money back

Error: 1 row with a text that is in both files
  Drop it from one file: accuracy on texts that were trained on means nothing.
    :14, same text as other.csv:2 login  password: I forgot my password

Error: 2 labels with too few examples
  Add texts, or merge labels.
    :7  Refund: only 1 text
    :14  password: only 1 text

Warning: 1 label identical to another except for case, spaces or Unicode form
  Spell them the same way: now they are separate labels.
    :7  Refund: 1 row; 'refund' has 5

Warning: 1 row with a near-duplicate in the other file
  Drop the copy from one file: it inflates the measured accuracy.
    :18  delivery: Tracking has not moved since Monday
      identical except for case, spaces and punctuation: other.csv:3  delivery: Tracking has not moved since monday!

Warning: 1 exact duplicate
  Drop it unless it should count more. --fix FILE writes a copy without duplicates.
    :5, same text as :2  delivery: Where is my parcel?

Warning: 2 near-duplicates
  Drop copies. Where the labels differ, decide which is right.
    :8  delivery: where is my parcel
      identical except for case, spaces and punctuation: :2  delivery: Where is my parcel?
    :19  refund: I was promised a full refnud
      spelling 90 % similar: :17  refund: I was promised a full refund

Diversity: Vendi score 7.8 (14 texts as varied as 8 unrelated ones); mean cosine distance 0.81
  least diverse labels  texts  Vendi score  mean distance
  refund                    5          3.1           0.50
  delivery                  7          4.2           0.73

8 errors, 5 warnings. Fix the errors before training.
"""
        )
        assert result.stderr.splitlines()[0] == "ugly.csv: 14 rows, 4 labels"
        assert result.stderr.endswith("Skipped: outliers (needs at least 20 distinct texts)\n")

    @pytest.mark.slow
    def test_clean_data(self, cli: Cli, dataset: Path):
        """One line says that all is clear, and the exit code is 0."""
        result = cli("check", dataset)
        assert result.exit_code == 0
        assert (
            result.stdout
            == """\
Diversity: Vendi score 17.0 (30 texts as varied as 17 unrelated ones); mean cosine distance 0.85
  least diverse labels  texts  Vendi score  mean distance
  refund                   10          5.1           0.53
  password                 10          6.0           0.63
  delivery                 10          7.1           0.74

No problems found in 30 rows.
"""
        )

    @pytest.mark.slow
    def test_warnings_alone_end_well(self, cli: Cli, dataset: Path):
        """What is worth a look is no error."""
        with dataset.open("a") as file:
            file.write(f"{TEXTS[0]},{LABELS[0]}\n")
        result = cli("check", dataset)
        assert result.exit_code == 0
        assert result.stdout.startswith("Warning: 1 exact duplicate\n")
        assert result.stdout.endswith("\nNo definite errors; 1 warning.\n")

    @pytest.mark.slow
    def test_errors_and_warnings_of_a_kind_stand_apart(self, cli: Cli, dataset: Path):
        """The numbers of the headings add up to those of the last line."""
        with dataset.open("a") as file:
            file.write("The lamp is broken,lamp\nStop writing to me,privacy\nDelete what you have of me,privacy\n")
        result = cli("check", dataset)
        assert result.exit_code == 1
        assert (
            """\
Error: 1 label with too few examples
  Add texts, or merge labels.
    :32  lamp: only 1 text

Warning: 1 label with too few examples
  Add texts, or merge labels.
    :33  privacy: only 2 texts
"""
            in result.stdout
        )
        headings = re.findall("^(?:Error|Warning): ([0-9]+) ", result.stdout, re.M)
        n_errors, n_warnings = map(int, re.findall("([0-9]+) (?:error|warning)", result.stdout.splitlines()[-1]))
        assert sum(map(int, headings)) == n_errors + n_warnings
        assert n_errors == 1

    @pytest.mark.slow
    def test_only_the_first_are_shown(self, cli: Cli, dataset: Path):
        """Five of a kind; --json has all."""
        with dataset.open("a") as file:
            file.writelines(f'"{text}",{label}\n' for text, label in zip(TEXTS[:8], LABELS[:8], strict=True))
        lines = cli("check", dataset).stdout.splitlines()
        assert lines[0] == "Warning: 8 exact duplicates"
        assert lines[7] == "    … 3 more (--output FILE or --json has all)"
        assert lines_of(json.loads(cli("check", dataset, "--json").stdout), "duplicates") == [*range(32, 40)]

    def test_control_characters_do_not_reach_the_terminal(self, cli: Cli):
        """Neither from texts nor from labels, malformed rows among them."""
        write_csv(Path("a.csv"), [("a\x1b[31m", "x\x1b[2J"), ("a\x1b[31m", "y\ty"), ("b", "c", "\x1b[2J")])
        result = cli("check", "a.csv")
        assert "\x1b" not in result.output
        assert "    :2  x\\x1b[2J: a\\x1b[31m\n" in result.stdout


class TestJson:
    """--json."""

    @pytest.mark.slow
    def test_each_finding_stands_under_its_kind(self, cli: Cli, ugly: str):
        """With its line, text and label; the other rows with their file and line."""
        result = cli("check", ugly, "--against", "other.csv", "--json")
        assert result.exit_code == 1
        shown = json.loads(result.stdout)
        assert [(kind, lines_of(shown, kind)) for kind in KINDS if shown[kind]] == [
            ("malformed", [9]),
            ("empty", [6, 10]),
            ("conflicts", [3, 4]),
            ("leakage", [14]),
            ("small_classes", [7, 14]),
            ("label_variants", [7]),
            ("near_leakage", [18]),
            ("duplicates", [5]),
            ("near_duplicates", [8, 19]),
        ]
        (leaked,) = shown["leakage"]
        assert (leaked["text"], leaked["label"], leaked["severity"]) == ("I forgot my password", "password", "error")
        (other,) = leaked["others"]
        assert other == {
            "row": 0,
            "text": "I forgot my password",
            "label": "login",
            "similarity": None,
            "file": "other.csv",
            "line": 2,
        }
        assert shown["near_duplicates"][1]["score"] == pytest.approx(0.897, abs=0.001)
        assert shown["label_variants"][0]["suggested"] == "refund"
        assert (shown["n_rows"], shown["n_labels"], shown["n_errors"], shown["n_warnings"]) == (17, 4, 8, 5)
        assert shown["not_checked"] == {"anomalies": "needs at least 20 distinct texts"}
        assert shown["usage"]["requests"] == 0
        assert json.loads(cli("check", ugly, "--against", "other.csv", "--json").stdout) == shown


class TestFix:
    """--fix."""

    def test_it_drops_duplicates_and_empty_rows(self, cli: Cli, ugly: str):
        """Nothing else; own columns are kept, and what is left out is said."""
        refused = cli("check", ugly, "--fix", "clean.csv")
        assert refused.exit_code == 1
        assert "Error: --fix cannot copy 1 row of ugly.csv:\n  ugly.csv:9: expected 3 fields" in refused.stderr
        assert not Path("clean.csv").exists()
        result = cli("check", ugly, "--fix", "clean.csv", "--skip-bad-rows")
        assert "Wrote 14 rows to clean.csv (removed: 1 exact duplicate, 1 empty row, 1 unreadable row)" in result.stderr
        kept = [line for line in UGLY.splitlines(True) if line.split(",")[0] not in ("4", "5", "8")]
        assert Path("clean.csv").read_text() == "".join(kept)

    def test_rows_still_to_be_labelled(self, cli: Cli):
        """Are kept, but each text once: a copy is one whether there is a label yet or not."""
        Path("a.csv").write_text("text,label\nto do,\na,x\nto do,\na,\nb,y\na,x\n")
        result = cli("check", "a.csv", "--fix", "b.csv")
        assert "Wrote 4 rows to b.csv (removed: 2 exact duplicates)\n" in result.stderr
        assert Path("b.csv").read_text() == "text,label\nto do,\na,x\na,\nb,y\n"

    @pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
    def test_it_may_be_the_file_itself(self, cli: Cli, name: str):
        """In the format that the extension says; each number of a JSON line stays as it was written."""
        if name == "a.jsonl":
            lines = ['{"text": "a b", "label": "1", "n": 1.50}', '{"text":"a b","label":"1"}', '{"text": " "}']
        else:
            lines = [line.replace(",", "\t" if name == "a.tsv" else ",") for line in ("n,text,label", "1.50,a b,1")]
            lines += [lines[-1], lines[-1].replace("a b", "")]
        path = Path(name)
        path.write_text("\n".join(lines) + "\n")
        result = cli("check", name, "--fix", name)
        assert f"Wrote 1 row to {name} (removed: 1 exact duplicate, 1 empty row)\n" in result.stderr
        assert path.read_text().splitlines() == lines[: 1 if name == "a.jsonl" else 2]

    def test_it_writes_utf_8(self, cli: Cli):
        """Whatever the encoding was, and says so; delimiter and byte order mark are kept."""
        Path("a.csv").write_bytes("text;label\nGrüße, alle;x\nGrüße, alle;x\nNein;y\n".encode("cp1252"))
        result = cli("check", "a.csv", "--delimiter", ";", "--encoding", "cp1252", "--fix", "b.csv")
        assert "Wrote 2 rows to b.csv, in UTF-8 (removed: 1 exact duplicate)\n" in result.stderr
        assert Path("b.csv").read_text(encoding="utf-8") == "text;label\nGrüße, alle;x\nNein;y\n"
        Path("b.csv").write_bytes(b"\xef\xbb\xbf" + Path("b.csv").read_bytes())
        cli("check", "b.csv", "--delimiter", ";", "--fix", "b.csv")
        assert Path("b.csv").read_bytes().startswith(b"\xef\xbb\xbftext;label\nGr")

    def test_a_file_of_nothing_but_empty_rows(self, cli: Cli):
        """Each is an error; nothing is embedded."""
        Path("a.csv").write_text("text,label\n,x\n  ,y\n")
        result = cli("check", "a.csv")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[2:4] == [
            "    :2  the text is empty: x",
            "    :3  the text is empty: y",
        ]

    def test_it_takes_no_other_place(self, cli: Cli, ugly: str):
        """Not that of --against."""
        result = cli("check", ugly, "--against", "other.csv", "--fix", "./other.csv")
        assert result.exit_code == 1
        assert "Error: --fix ./other.csv is the same file as --against other.csv: choose another\n" in result.stderr
        assert Path("other.csv").read_text() == OTHER


class TestBeforeAnythingIsPaidFor:
    """What needs no vectors."""

    def test_a_dry_run(self, cli: Cli, ugly: str, api: AimlapiServer):
        """Sends nothing, writes nothing, gives the estimate and what is found without vectors."""
        result = cli("check", ugly, "--against", "other.csv", "--fix", "clean.csv", "--dry-run")
        assert result.exit_code == 1
        first, empty, *rest = result.stdout.splitlines()
        assert first.startswith("16 rows, 13 unique, 0 cached, 13 to embed: about ")
        assert (empty, rest[0]) == ("", "Error: 1 row that cannot be read")
        assert "Error: 2 rows with conflicting labels for the same text" in rest
        assert not any("near-duplicate" in line for line in rest)
        assert (
            "Skipped: label errors, near-duplicates of the other file, near-duplicates, outliers (needs vectors)"
            in result.stderr
        )
        shown = json.loads(cli("check", ugly, "--dry-run", "--json").stdout)
        assert shown["dry_run"] is True
        assert shown["estimate"]["to_embed"] == 12
        assert lines_of(shown, "conflicts") == [3, 4]
        assert api.n_requests == 0
        assert not Path("clean.csv").exists()

    def test_what_was_found_is_not_lost(self, cli: Cli, ugly: str, monkeypatch: pytest.MonkeyPatch):
        """Where the embedder fails afterwards."""
        monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
        result = cli("check", ugly, "--retries", 0)
        assert result.exit_code == 1
        assert "Error: 2 rows with conflicting labels for the same text" in result.stdout
        assert "\nError: " in result.stderr

    def test_labels_that_look_alike(self):
        """Case, spaces, what is not seen, and the form of Unicode; not another word."""
        labels = ["Café au lait"] * 3 + ["cafe\u0301 au lait", "CAFÉ  AULAIT", "café\u200b au lait", "ﬁn", "fin", "tea"]
        found = embedclf.check([f"text number {row}" for row in range(9)], labels, vectors=np.eye(9)).of(
            "label_variants"
        )
        assert [(one.label, one.suggested) for one in found] == [
            *((label, "Café au lait") for label in labels[3:6]),
            ("fin", "ﬁn"),
        ]

    @pytest.mark.slow
    def test_small_and_rare_labels(self):
        """One different text is an error, less than five a warning; each label below a tenth of the largest is rare."""
        labels = ["a"] * 44 + ["b"] * 4 + ["c"] * 2
        texts = [f"text number {row}" for row in range(48)] + ["one text"] * 2
        result = embedclf.check(texts, labels, vectors=np.eye(50))
        assert [(one.label, one.severity, one.detail) for one in result.of("small_classes")] == [
            ("c", "error", "only 1 text"),
            ("b", "warning", "only 4 texts"),
        ]
        assert [(one.label, one.score, one.severity) for one in result.of("imbalance")] == [
            ("c", 22, "warning"),
            ("b", 11, "warning"),
        ]
        (alone,) = embedclf.check(["a", "b"], ["x", "x"], vectors=np.eye(2)).of("single_class")
        assert (alone.label, alone.severity) == ("x", "error")

    def test_long_texts(self, cli: Cli, api: AimlapiServer):
        """By what the model takes: bytes are the most tokens that there may be."""
        write_csv(Path("a.csv"), [("a" * 8_191, "x"), ("é" * 4_096, "x"), ("b" * 40_000, "y")])
        shown = json.loads(cli("check", "a.csv", "--dry-run", "--json").stdout)
        assert [(one["line"], one["detail"]) for one in shown["too_long"]] == [
            (3, "may be too long: at most 8,192 tokens; text-embedding-3-small accepts 8,191"),
            (4, "about 10,000 tokens; text-embedding-3-small accepts 8,191"),
        ]
        shown = json.loads(cli("check", "a.csv", "--dry-run", "--json", "--embedder", "wordllama").stdout)
        assert lines_of(shown, "too_long") == [4]
        shown = json.loads(cli("check", "a.csv", "--dry-run", "--json", "--embedder", "aimlapi:voyage-2").stdout)
        assert lines_of(shown, "too_long") == [2, 3, 4]


class TestLanguage:
    """Whether the embedder was made for the language of the texts."""

    @pytest.fixture
    def german(self) -> str:
        write_csv(
            Path("de.csv"), [("Wo ist das?", "a"), ("Ich und du", "b"), ("Das kann ich nicht", "a"), ("Rad", "b")]
        )
        return "de.csv"

    def test_check_says_what_would_serve(self, cli: Cli, german: str):
        """With the share of the texts, and the first of them; it costs nothing, so a dry run says so, too."""
        result = cli("check", german, "--dry-run")
        assert (
            """\
Warning: 1 language that the embedder was not made for
  Use a multilingual model, such as aimlapi:voyage-multilingual-2 or aimlapi:text-multilingual-embedding-002; without \
one, see whether words help: --features both (features="both").
    :2  75 % of the texts are probably in German: Wo ist das?
"""
            in result.stdout
        )
        (found,) = json.loads(cli("check", german, "--dry-run", "--json").stdout)["language"]
        assert (found["line"], found["score"], found["severity"]) == (2, 0.75, "warning")

    def test_train_says_it_in_one_line(
        self, cli: Cli, german: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        """Unless words are used in any case; in Python, by the library's logger."""
        said = "probably in German"
        (line,) = [line for line in cli("train", german, *QUICKLY).stderr.splitlines() if said in line]
        assert line == (
            "Warning: 75 % of the texts are probably in German, which the embedder was not made for. Use a "
            "multilingual model, such as aimlapi:voyage-multilingual-2 or aimlapi:text-multilingual-embedding-002; "
            'without one, see whether words help: --features both (features="both").'
        )
        monkeypatch.setattr(logging.getLogger("embedclf"), "propagate", True)
        embedclf.train(pd.read_csv(german), **QUICK)
        assert line.removeprefix("Warning: ") in caplog.messages
        assert said not in cli("train", german, *QUICKLY[2:], "--features", "both").stderr
        assert said not in cli("train", german, *QUICKLY[2:], "--features", "words").stderr

    def test_other_embedders_are_trusted(self, cli: Cli, german: str, api: AimlapiServer):
        """Only WordLlama is known to be for English."""

        def found(embedder: str) -> int:
            return len(
                json.loads(cli("check", german, "--dry-run", "--json", "--embedder", embedder).stdout)["language"]
            )

        assert [found(name) for name in ("aimlapi", "words", "wordllama")] == [0, 0, 1]

    def test_some_texts_in_another_language_are_no_finding(self):
        """They are no reason to choose another embedder."""
        found = embedclf.check([*TEXTS, "Wo ist das?", "Ich kann nicht"], [*LABELS, "delivery", "password"])
        assert found.of("language") == ()


class TestByVectors:
    """What the vectors tell."""

    def test_near_duplicates(self):
        """Nearly the same vector or nearly the same letters; each names the likest earlier text."""
        texts = ["Where is my parcel?", "WHERE IS MY PARCEL", "My card was charged twice", "My card was chagred twice"]
        texts += ["When will the parcel arrive?", "I want my money back"]
        vectors = np.eye(6, dtype=np.float32)
        vectors[3, 2] = 0.8
        vectors[5] = vectors[4] + [0, 0, 0, 0, 0, 0.3]
        found = embedclf.check(texts, [*"aabbab"], vectors=vectors).of("near_duplicates")
        assert [(one.row, one.others[0].row, one.detail) for one in found] == [
            (5, 4, "cosine 0.96, different label"),
            (1, 0, "identical except for case, spaces and punctuation"),
            (3, 2, "spelling 88 % similar"),
        ]

    def test_long_texts_are_compared_by_their_vectors(self):
        """One letter in thousands makes no other vector, and comparing them all would take long."""
        texts = ["x" * 5_000 + "one two", "x" * 5_000 + "one tow"]
        assert not embedclf.check(texts, vectors=np.array([[1, 0], [0.6, 0.8]])).of("near_duplicates")
        assert len(embedclf.check(texts, vectors=np.array([[1, 0], [1, 0.1]])).of("near_duplicates")) == 1

    @pytest.mark.slow
    def test_flipped_labels_are_listed(self):
        """The likeliest wrong first, with the label that they should have."""
        pytest.importorskip("cleanlab")
        corpus = read_corpus(DATASETS / "product_reviews.csv")
        rng = np.random.default_rng(0)
        y = np.arange(300) % 3
        vectors = (np.eye(8)[y] + 0.2 * rng.standard_normal((300, 8))).astype(np.float32)
        labels = ["abc"[number] for number in y]
        for row in (7, 100, 200):
            labels[row] = "abc"[(y[row] + 1) % 3]
        result = embedclf.check(corpus.texts[:300], labels, vectors=vectors)
        found = result.of("label_errors")
        assert {one.row for one in found} == {7, 100, 200}
        for one in found:
            assert one.suggested == "abc"[y[one.row]]
            assert one.severity == "warning"
        assert [one.score for one in found] == sorted(one.score for one in found)

    def test_without_cleanlab_the_rest_is_checked(self, cli: Cli, ugly: str, monkeypatch: pytest.MonkeyPatch):
        """And what is missing is named, with how to get it."""
        monkeypatch.setitem(sys.modules, "cleanlab", None)
        result = cli("check", ugly)
        assert "Warning: 2 near-duplicates" in result.stdout
        assert (
            "Skipped: label errors (needs cleanlab, which is not installed: "
            "pip install 'embedclf[check]')\n" in result.stderr
        )

    @pytest.mark.slow
    def test_a_text_far_from_all(self, cli: Cli, dataset: Path):
        """With its score and its nearest neighbours."""
        with dataset.open("a") as file:
            file.write("Photosynthesis converts light to chemical energy,delivery\n")
        assert "      mean similarity to 10 nearest: 0.0" in cli("check", dataset).stdout
        (one,) = json.loads(cli("check", dataset, "--json").stdout)["anomalies"]
        assert one["line"] == 32
        assert one["score"] > 3.5
        assert len(one["others"]) == 3
        assert one["others"][0]["similarity"] >= one["others"][1]["similarity"]

    def test_diversity(self):
        """Texts that share nothing count in full, equal ones once; the mean distance is that of all pairs."""
        result = embedclf.check(["a", "b", "c", "d"], [*"xxyy"], vectors=np.eye(4)[[0, 1, 2, 2]])
        assert result.diversity_by_label["x"] == (2, pytest.approx(1), pytest.approx(2))
        assert result.diversity_by_label["y"] == (2, pytest.approx(0), pytest.approx(1))
        # Eigenvalues 1/2, 1/4, 1/4: an entropy of 1.5 ln 2.
        assert result.diversity == (4, pytest.approx(5 / 6), pytest.approx(2**1.5))
        vectors = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        similarity = vectors @ vectors.T
        (whole,) = [embedclf.check([f"text {row}" for row in range(40)], vectors=vectors).diversity]
        assert whole.mean_distance == pytest.approx(1 - (similarity.sum() - 40) / (40 * 39), abs=1e-5)
        shares = np.linalg.eigvalsh(similarity / 40)
        shares = shares[shares > 1e-6]
        assert whole.vendi == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_texts_that_the_server_refuses(self, cli: Cli, dataset: Path, api: AimlapiServer):
        """Are named as errors, and the others are checked; --skip-bad-rows leaves them out."""
        refusal = error(400, "Your input was flagged")
        api.fault = lambda request: refusal if any("BAD" in text for text in request.texts) else None
        with dataset.open("a") as file:
            file.write(f"BAD text,refund\n{TEXTS[0]},{LABELS[0]}\n")
        result = cli("check", dataset)
        assert result.exit_code == 1
        assert result.stdout.startswith("Error: 1 row rejected by the embedder\n")
        assert "Warning: 1 exact duplicate" in result.stdout
        result = cli("check", dataset, "--skip-bad-rows")
        assert result.exit_code == 0
        assert "Skipped 1 row:\n" in result.stderr
        write_csv(Path("other.csv"), [("BAD text too", "refund"), ("Something else", "refund")])
        result = cli("check", dataset, "--skip-bad-rows", "--against", "other.csv")
        assert "Warning: 1 row of the other texts cannot be embedded: not compared\n" in result.stderr


class TestWhateverIsGiven:
    """Each gets a sensible answer or a clear error."""

    @pytest.mark.parametrize("texts", [[], [""], ["one"], ["same"] * 30, ["one", "two"], ["a " * 100_000, "b"]])
    def test_odd_texts(self, texts: list[str]):
        """None, one, equal ones, few, a long one; with and without labels."""
        for labels in (None, ["x"] * len(texts), ["x", *["y"] * (len(texts) - 1)][: len(texts)]):
            result = embedclf.check(texts, labels, embedder="wordllama")
            assert result.n_rows == len(texts)
            json.dumps(result.to_dict(), allow_nan=False)

    def test_equal_vectors(self):
        """Of different texts: each but the first is a near-duplicate, none is far from all."""
        result = embedclf.check([f"number {row * 7919}" for row in range(30)], vectors=np.ones((30, 4)))
        assert sorted(one.row for one in result.of("near_duplicates")) == [*range(1, 30)]
        assert not result.of("anomalies")

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_embedded_texts(self, api: AimlapiServer):
        """One stands for texts, labels and vectors; what the embedder refuses is a finding all the same."""
        opened = embedclf.open_embedder("aimlapi", cache=False)
        embedded = embedclf.EmbeddedTexts(TEXTS, LABELS, embedder=opened)
        others = ([TEXTS[0], ""], ["x", "x"])
        expected = embedclf.check(TEXTS, LABELS, against=others, embedder=opened).findings
        assert embedclf.check(embedded, against=([TEXTS[0]], ["x"])).findings == expected
        n_sent = api.n_requests
        assert embedclf.check(embedded) == embedclf.check(TEXTS, LABELS, vectors=embedded.vectors)
        assert api.n_requests == n_sent
        assert embedclf.check(embedded, against=others).findings == expected
        assert api.n_requests == n_sent + 1
        assert api.texts_sent[-1] == TEXTS[0]
        assert not embedclf.check(embedded, against=([""], ["x"])).of("leakage")
        assert api.n_requests == n_sent + 1
        api.fault = lambda request: error(400, "flagged") if any("BAD" in text for text in request.texts) else None
        refused = embedclf.check(embedclf.EmbeddedTexts([*TEXTS, "BAD"], embedder=opened)).of("refused")
        assert [finding.row for finding in refused] == [30]
        with pytest.raises(TypeError, match="an EmbeddedTexts already has its own labels"):
            embedclf.check(embedded, LABELS)

    def test_arguments_that_do_not_fit(self):
        """Said in one line."""
        with pytest.raises(embedclf.ArgumentError, match="got 2 texts but 1 label"):
            embedclf.check(["a", "b"], ["x"])
        with pytest.raises(embedclf.ArgumentError, match="against must be a pair of texts and labels of equal length"):
            embedclf.check(["a"], against=(["b"], []))
        with pytest.raises(embedclf.EmbedclfError, match="got 2 texts but 1 vector"):
            embedclf.check(["a"], against=(["b"], ["x"]), vectors=np.eye(1))
        with pytest.raises(TypeError, match="seed must be an integer"):
            embedclf.check(["a"], seed=0.5)

    def test_a_file_without_labels_or_rows(self, cli: Cli, process):
        """The first is checked all the same, also from the standard input; the second is an error."""
        done = process("check", "-", stdin="text\nWhere is it?\nwhere is it\n")
        assert done.returncode == 0
        assert (
            "    :3  where is it\n      identical except for case, spaces and punctuation: :2  Where is it?\n"
            in done.stdout
        )
        Path("a.csv").write_text("text,label\n")
        result = cli("check", "a.csv")
        assert result.stderr.endswith("Error: a.csv: the file has a header but no rows\n")
        assert cli("check", "-", "--against", "-").exit_code == 2


class TestTrain:
    """train says in short what is wrong."""

    def test_a_line_a_kind(self, cli: Cli, dataset: Path):
        """With a number and the first places, and where to see all of them."""
        with dataset.open("a") as file:
            file.writelines(f'"{text}",{label}\n' for text, label in zip(TEXTS[:4], LABELS[:4], strict=True))
            file.write(f"{TEXTS[0]},refund\n")
        result = cli("train", dataset)
        assert result.exit_code == 0
        lines = result.stderr.splitlines()
        assert lines[2:5] == [
            "Warning: 3 rows with conflicting labels for the same text (:2, :32, :36)",
            "Warning: 4 exact duplicates (:32, :33, :34 …)",
            f"For details, run embedclf check {dataset}",
        ]

    @pytest.mark.slow
    def test_the_command_that_shows_all_works(self, cli: Cli, dataset: Path):
        """As it is printed: a shell takes the name, and the file is read in the same way."""
        lines = dataset.read_text().replace(",", ";").replace("text;label", "my review;stars").splitlines(True)
        Path("my reviews.csv").write_text("".join([*lines, lines[1]]))
        reading = ("--text-column", "my review", "--label-column", "stars", "--delimiter", ";")
        command = cli("train", "my reviews.csv", *reading).stderr.splitlines()[3].removeprefix("For details, run ")
        assert command == (
            "embedclf check 'my reviews.csv' --text-column 'my review' --label-column stars --delimiter ';'"
        )
        assert cli(*shlex.split(command)[1:]).stdout.startswith("Warning: 1 exact duplicate\n")

    def test_nothing_of_clean_data(self, cli: Cli, dataset: Path):
        """Not a word."""
        warnings = [line for line in cli("train", dataset).stderr.splitlines() if "Warning" in line or "check" in line]
        assert [line.split()[1] for line in warnings] == ["only"]  # few rows held out


@pytest.mark.slow
def test_vectors_alone_need_no_embedder(monkeypatch: pytest.MonkeyPatch):
    """Nothing is opened for them, so it may be missing."""
    monkeypatch.setattr("embedclf.embedding.wordllama.find_spec", lambda name: None)
    vectors = np.eye(len(TEXTS), dtype=np.float32)
    found = embedclf.check(embedclf.EmbeddedTexts(TEXTS, LABELS, vectors=vectors))
    assert found.n_rows == len(TEXTS)
