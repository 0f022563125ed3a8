"""Whether texts have changed: the command and the function."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICK, QUICKLY, TEXTS, write_csv
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.exploration.changed_answers import changed_labels, shift_of
from embedclf.exploration.distinct_rows import DistinctRows
from embedclf.exploration.domain import interval_of_auroc
from embedclf.exploration.local_shares import local_shares
from running import Cli

OPENINGS = ("Hello.", "Good morning!", "Hi,", "Dear team,", "Hey there.", "Quick question:", "Please help.", "Hi all:")
SUBJECTS = {
    "delivery": ("where is my parcel?", "the courier never came.", "tracking has not moved.", "my package is late."),
    "password": ("I forgot my password.", "I cannot log in.", "my account is locked.", "the sign in code fails."),
    "refund": ("when do I get my refund?", "I want my money back.", "the refund is too small.", "please refund me."),
}
NEW_SUBJECT = ("does the kettle need descaling?", "which filter fits the kettle?", "the kettle leaks.", "a kettle lid?")
ENDS = ("Thanks.", "Regards.", "Waiting.", "Cheers.", "Best wishes.")


def texts_of(subject: tuple[str, ...], n: int) -> list[str]:
    """Return n different texts about a subject."""
    every = [f"{opening} {text} {end}" for end in ENDS for opening in OPENINGS for text in subject]
    return every[:n]


def usual(part: int) -> list[str]:
    """Return one half of the usual texts, 240 of them."""
    every = [text for subject in SUBJECTS.values() for text in texts_of(subject, 160)]
    return [every[place] for place in np.random.default_rng(9).permutation(len(every))][part::2]


@pytest.fixture(scope="module")
def halves() -> embedclf.Drift:
    """The comparison of two random halves."""
    return embedclf.drift(usual(0), usual(1))


@pytest.fixture(scope="module")
def grown() -> embedclf.Drift:
    """The comparison of two random halves, one of which has a new subject."""
    return embedclf.drift([*texts_of(NEW_SUBJECT, 40), *usual(0)], usual(1))


class TestTheVerdict:
    """embedclf.drift."""

    def test_equal_halves_have_not_changed(self, halves: embedclf.Drift):
        """Nothing is found, and so no words, groups, or rows are shown."""
        assert halves.verdict == "no change found"
        assert halves.auroc_interval is not None
        assert halves.auroc_interval.low <= 0.5 <= halves.auroc_interval.high
        assert (halves.groups, halves.words, halves.typical) == ((), (), ())
        assert len(halves.newness) == halves.n_new == 240
        assert set(halves.group_of) == {None}
        assert str(halves).splitlines()[0] == "No change found."

    def test_a_new_subject_is_found_and_described(self, grown: embedclf.Drift):
        """Its rows are one group, named by its words, and they are the ones most unlike the old texts."""
        assert grown.verdict == "changed"
        (group,) = grown.groups
        assert group.more_in == "new"
        assert "kettle" in group.words
        assert 30 <= group.size <= 50
        assert group.other_share < 0.02 < group.share
        assert all("kettle" in one.text for one in (*group.texts, *grown.typical))
        assert [one.row for one in grown.typical] == [
            row for row in (one.row for one in grown.typical) if grown.group_of[row] == 0
        ]
        words = {one.word: one for one in grown.words}
        assert (words["kettle"].more_in, words["kettle"].n_new, words["kettle"].n_old) == ("new", 40, 0)
        for one in grown.typical:
            assert usual(1)[one.nearest_row] == one.nearest_text

    def test_a_subject_that_is_gone_is_found(self):
        """It is a group of the old file, whose rows are counted there."""
        found = embedclf.drift(usual(0), [*usual(1), *texts_of(NEW_SUBJECT, 40)])
        assert found.verdict == "changed"
        (group,) = found.groups
        assert group.more_in == "old"
        assert all(240 <= one.row < 280 and "kettle" in one.text for one in group.texts)
        assert set(found.group_of) == {None}
        assert {one.more_in for one in found.words} == {"old"}

    def test_other_texts_altogether(self):
        """The AUROC is near 1, and from it follows that most texts are of another kind."""
        found = embedclf.drift(texts_of(NEW_SUBJECT, 80), usual(1))
        assert found.auroc is not None
        assert found.auroc > 0.98
        assert found.least_share > 0.7
        assert "texts are of a different kind" in str(found)

    def test_a_file_against_itself(self):
        """Each text is compared once, as one of either, so it cannot be recognized."""
        found = embedclf.drift(usual(0), usual(0))
        assert found.verdict != "changed"
        assert found.n_new_texts == found.n_old_texts == 240
        assert found.n_compared_new + found.n_compared_old == 240

    def test_equal_texts_do_not_leak(self):
        """Texts that both files have many times are no change, and count once."""
        texts = usual(0)[:100]
        found = embedclf.drift(texts * 3, texts * 2)
        assert (found.n_new, found.n_old, found.n_new_texts) == (300, 200, 100)
        assert found.n_compared_new + found.n_compared_old == 100
        assert found.verdict != "changed"

    @pytest.mark.parametrize("n", [1, 5, 19])
    def test_tiny_files(self, n: int):
        """Nothing is said of so few texts."""
        found = embedclf.drift(usual(0)[:n], usual(1))
        assert (found.verdict, found.auroc, found.p_value, found.newness) == ("cannot tell", None, None, ())
        assert str(found) == (
            f"Cannot tell with so few texts: {n} new and 240 old.\nAt least 20 distinct texts of each are needed."
        )

    def test_few_texts_that_are_alike_are_no_proof(self):
        """Where nothing is found in 30 texts, that says little."""
        found = embedclf.drift(usual(0)[:30], usual(1)[:30])
        assert found.verdict == "cannot tell"
        assert str(found).startswith(
            "Cannot tell with so few texts: 30 new and 30 old.\nGiven one new and one old text, "
        )
        assert str(found).endswith(
            "A tenth of the texts may be of another kind, or none; about 300 texts of each would usually be enough to "
            "tell."
        )

    def test_few_texts_that_are_unlike_are(self):
        """A great difference shows in 30 texts; the same seed gives the same result."""
        found = embedclf.drift(texts_of(NEW_SUBJECT, 30), usual(1)[:30], seed=1)
        assert found.verdict == "changed"
        assert found == embedclf.drift(texts_of(NEW_SUBJECT, 30), usual(1)[:30], seed=1)

    def test_any_script(self):
        """Words of other scripts are found, and what turns the direction of text is shown as what it is."""
        new = [f"返金はいつですか {number} \u202ereversed" for number in range(40)]
        found = embedclf.drift(new, [f"荷物はどこですか {number}" for number in range(40)])
        assert found.verdict == "changed"
        assert any("返金" in one.word for one in found.words)
        assert "\u202e" not in str(found)

    def test_more_texts_than_are_compared(self, monkeypatch: pytest.MonkeyPatch):
        """As many are drawn; the sizes of groups stand for all rows, and each row has a newness."""
        monkeypatch.setattr("embedclf.exploration.drift.MOST_COMPARED", 120)
        monkeypatch.setattr("embedclf.exploration.drift_result.MOST_COMPARED", 120)
        found = embedclf.drift([*texts_of(NEW_SUBJECT, 80), *usual(0)], usual(1))
        assert (found.n_compared_new, found.n_compared_old) == (120, 120)
        assert found.verdict == "changed"
        assert 50 <= sum(one.size for one in found.groups if one.more_in == "new") <= 110
        assert len(found.newness) == 320
        assert "Compared: 120 of 320 distinct new texts and 120 of 240 old ones, drawn at random." in str(found)

    def test_forms(self, grown: embedclf.Drift, tmp_path: Path):
        """The result prints, is a frame, a page and JSON, and says in short what it is."""
        assert repr(grown) == "<Drift: changed, 280 new rows and 240 old rows>"
        assert list(grown.to_frame()["more_in"]) == ["new"]
        record = json.loads(json.dumps(grown.to_dict()))
        assert record["groups"][0]["texts"][0]["text"] == grown.groups[0].texts[0].text
        assert record["answers"] is None
        grown.to_html(tmp_path / "page.html", title="June")
        assert "<title>June</title>" in (tmp_path / "page.html").read_text()
        assert "kettle" in grown._repr_html_()


class TestWhatItIsMadeOf:
    """The parts of the comparison."""

    def test_each_distinct_text_is_one_of_its_rows(self):
        """A text of both samples is new as often as its rows are."""
        texts = ["both"] * 4 + ["new"] + ["both"] * 4 + ["old"]
        of_both = []
        for seed in range(200):
            found = DistinctRows.of(texts, 5, seed=seed)
            assert len(found) == 3
            (both,) = (n for n in range(3) if texts[found.rows[n]] == "both")
            assert (found.n_new_rows[both], found.n_old_rows[both]) == (4, 4)
            of_both.append(found.is_new[both])
        assert 70 < sum(of_both) < 130

    def test_the_interval_of_the_auroc(self):
        """At 0.5, its half width is 1.96 exact standard errors, times 1.5 for five folds; at 1, it has one, too."""
        low, high = interval_of_auroc(0.5, 500, 500, 5)
        exact = 1.96 * 1.5 * np.sqrt(201 / (12 * 100 * 100) / 5)
        assert high - 0.5 == pytest.approx(0.5 - low, abs=1e-4)
        assert high - 0.5 == pytest.approx(exact, rel=0.03)
        assert interval_of_auroc(1.0, 20, 20, 5).high == 1
        assert interval_of_auroc(1.0, 20, 20, 5).low < 0.95

    def test_a_cluster_of_one_sample_is_found(self):
        """Of 300 vectors in all directions and 30 in one, these are found, and nothing without them."""
        rng = np.random.default_rng(0)
        everywhere = rng.normal(size=(600, 16)).astype(np.float32)
        together = rng.normal(size=(30, 16)).astype(np.float32) * 0.1 + np.eye(16, dtype=np.float32)[0]
        unit = np.vstack([everywhere, together])
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        is_new = np.append(np.arange(600) % 2 == 0, np.ones(30, dtype=bool))
        found = local_shares(unit, is_new, seed=0)
        assert found.is_significant
        assert found.more_of_new[600:].sum() >= 25
        assert not local_shares(unit[:600], is_new[:600], seed=0).is_significant

    def test_differences_of_shares(self):
        """The interval is that of the difference, and equal texts in both files move together."""
        is_new = np.arange(200) < 100
        values = np.r_[np.arange(100) < 40, np.arange(100) < 10]
        one = shift_of(values, is_new, np.arange(200))
        assert (one.new, one.old) == (0.4, 0.1)
        assert one.interval.low < one.difference < one.interval.high
        assert one.interval == pytest.approx((0.18, 0.41), abs=0.02)
        paired = shift_of(np.tile(np.arange(100) < 40, 2), is_new, np.tile(np.arange(100), 2))
        assert paired.difference == 0
        assert paired.interval.high < 0.06

    def test_few_rows_say_little_of_shares(self):
        """None of five rows have a label that 2 in 100 old ones have: no sign that fewer have it now."""
        is_new = np.arange(1_005) < 5
        one = shift_of(np.arange(1_005) >= 985, is_new, np.arange(1_005))
        assert (one.new, one.old) == (0, 0.02)
        assert one.interval.low < 0 < 0.4 < one.interval.high < 0.6
        every = shift_of(is_new, is_new, np.arange(1_005))
        assert every.interval.low == pytest.approx(0.48, abs=0.05)

    def test_shares_of_labels(self):
        """A row without a label does not count, and a file without any has no shares."""
        groups = np.arange(6)
        found = changed_labels(["a", "a", "b", "a", "b", ""], 3, groups)
        assert list(found) == ["a", "b"]
        assert (found["a"].new, found["a"].old) == (pytest.approx(2 / 3), 0.5)
        assert changed_labels(["a", "b", "", ""], 2, groups[:4]) == {}
        several = changed_labels([("a", "b"), ("a",), (), ("b",)], 2, groups[:4])
        assert (several["a"].new, several["a"].old) == (1.0, 0.0)


class TestWithAModel:
    """What a classifier answers."""

    def test_answers_beside_what_they_were(self):
        """Labels, confidence, abstention and accuracy, the largest difference of a label first."""
        classifier = embedclf.train(TEXTS, LABELS, **QUICK, min_confidence=0.4)
        new = EmbeddedTexts([f"{text} " for text in TEXTS[:10]] * 3, LABELS[:10] * 3, embedder=classifier.embedder)
        old = EmbeddedTexts(TEXTS, LABELS, embedder=classifier.embedder)
        answers = embedclf.drift(new, old, model=classifier).answers
        assert answers is not None
        assert next(iter(answers.labels)) == "delivery"
        assert answers.labels["delivery"].new > 0.8 > 0.5 > answers.labels["delivery"].old
        assert answers.labels["delivery"].interval.low > 0
        assert answers.abstained is not None
        assert answers.accuracy is not None
        assert 0 < answers.median_new < 1
        assert answers.confidence.new == pytest.approx(answers.confidence.old, abs=0.3)

    def test_several_labels(self):
        """Each label has its share; there is no accuracy of one label."""
        sets = [[label, "customer"] for label in LABELS]
        classifier = embedclf.train(TEXTS, sets, **QUICK)
        found = embedclf.drift(
            EmbeddedTexts(TEXTS[:20], sets[:20], embedder=classifier.embedder),
            EmbeddedTexts(TEXTS, sets, embedder=classifier.embedder),
            model=classifier,
        )
        assert found.answers is not None
        assert found.answers.accuracy is None
        assert found.answers.labels["customer"].new == 1
        assert found.labels["customer"].new == found.labels["customer"].old == 1
        assert found.labels["refund"].new == 0

    def test_the_model_has_an_embedder(self):
        """Another one is an error, and so are texts of another one."""
        classifier = embedclf.train(TEXTS, LABELS, **QUICK)
        with pytest.raises(embedclf.ArgumentError, match="the model has an embedder of its own"):
            embedclf.drift(TEXTS, TEXTS, model=classifier, embedder="wordllama")


class TestArguments:
    """What cannot be compared."""

    def test_no_texts(self):
        """Both must have some."""
        with pytest.raises(embedclf.ArgumentError, match="there are no new texts"):
            embedclf.drift([], TEXTS)
        with pytest.raises(embedclf.ArgumentError, match="there are no old texts"):
            embedclf.drift(TEXTS, [])

    def test_vectors_of_different_lengths(self):
        """Vectors of two embedders do not compare."""
        one = EmbeddedTexts(["a", "b"], vectors=np.ones((2, 3), dtype=np.float32))
        other = EmbeddedTexts(["a", "b"], vectors=np.ones((2, 4), dtype=np.float32))
        with pytest.raises(embedclf.ArgumentError, match="vectors of 3 and 4 dimensions: embed them with one embedder"):
            embedclf.drift(one, other)

    def test_frames(self):
        """A data frame brings its labels."""
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
        found = embedclf.drift(frame, frame, vectors=np.eye(60, dtype=np.float32))
        assert found.labels["refund"].difference == 0


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A new file with a new subject, and an old one."""
    rows = [(f'"{text}"',) for text in [*texts_of(NEW_SUBJECT, 40), *usual(0)]]
    write_csv(tmp_path / "new.csv", rows, ("text",))
    write_csv(tmp_path / "old.csv", [(f'"{text}"',) for text in usual(1)], ("text",))
    return "new.csv", "old.csv"


class TestTheCommand:
    """embedclf drift."""

    def test_rows_with_their_newness_and_group(self, cli: Cli, files: tuple[str, str]):
        """The output has the rows of the new file, and the JSON the lines of what it shows."""
        done = cli("drift", files[0], "--against", files[1], "-o", "out.csv", "--json")
        assert done.exit_code == 0
        assert "Wrote 280 rows to out.csv\n" in done.stderr
        record = json.loads(done.stdout)
        rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
        assert [list(row) for row in rows] == [["text", "newness", "group"]] * 280
        name = record["groups"][0]["name"]
        assert {"kettle" in row["text"] for row in rows if row["group"] == name} == {True}
        for one in record["typical"]:
            assert rows[one["line"] - 2]["text"] == one["text"]

    def test_lines_are_narrow_enough(self, cli: Cli, files: tuple[str, str]):
        """No line is longer than 80 columns, apart from sentences, which a terminal wraps."""
        done = cli("drift", files[0], "--against", files[1])
        assert done.exit_code == 0  # whatever is found: this is a report
        lines = done.stdout.splitlines()
        assert lines[0] == "The texts have changed."
        assert max(map(len, lines[4:])) <= 80

    def test_labels_that_have_not_changed_are_counted_only(self, cli: Cli):
        """Of more than a few labels, those whose share has not changed take one line."""
        for name, n in (("new.csv", 3), ("old.csv", 4)):
            write_csv(Path(name), [(f"text {row} of {n}", f"label {row % 8}") for row in range(8 * n)])
        done = cli("drift", "new.csv", "--against", "old.csv")
        shown = done.stdout.partition("Labels in the files\n")[2]
        assert shown == (
            "  0 of 8 shares clearly changed (the interval excludes 0); by chance, about 0.4 would.\n"
            "  … 8 labels (--json has all)\n"
        )

    def test_each_text_is_sent_once(self, cli: Cli, api: AimlapiServer):
        """Texts of both files are embedded together."""
        write_csv(Path("one.csv"), [(text,) for text in ("a b", "c d")], ("text",))
        write_csv(Path("two.csv"), [(text,) for text in ("c d", "e f")], ("text",))
        dry = cli("drift", "one.csv", "--against", "two.csv", "--dry-run")
        assert dry.exit_code == 0
        assert "4 rows, 3 unique, 0 cached, 3 to embed" in dry.stdout
        assert api.n_requests == 0
        done = cli("drift", "one.csv", "--against", "two.csv")
        assert done.stdout.startswith("Cannot tell with so few texts: 2 new and 2 old.\n")
        assert "Embedding: 4 texts, 0 from cache, 1 duplicate, 1 request" in done.stderr

    def test_with_a_model(self, cli: Cli):
        """Its answers are shown, and the options of an embedder do not go with it."""
        write_csv(Path("train.csv"), list(zip([f'"{text}"' for text in TEXTS], LABELS, strict=True)))
        write_csv(Path("new.csv"), list(zip([f'"{text}"' for text in TEXTS[:10]], LABELS, strict=False)))
        assert cli("train", "train.csv", "-o", "m.safetensors", *QUICKLY).exit_code == 0
        done = cli("drift", "new.csv", "--against", "train.csv", "-m", "m.safetensors")
        assert done.exit_code == 0
        assert "Answers of the classifier\n" in done.stdout
        assert "  It was trained on the old rows, so it is more confident and more accurate on them.\n" in done.stdout
        assert "accuracy" in done.stdout
        assert "Predicted labels\n" in done.stdout
        assert "Labels in the files\n" in done.stdout
        refused = cli("drift", "new.csv", "--against", "train.csv", "-m", "m.safetensors", "--dimensions", 64)
        assert refused.exit_code == 2
        assert "--dimensions cannot be used with --model" in refused.stderr

    def test_both_cannot_be_standard_input(self, cli: Cli):
        """There is only one."""
        refused = cli("drift", "-", "--against", "-")
        assert refused.exit_code == 2
        assert "FILE and --against cannot both be standard input." in refused.stderr

    def test_no_output_replaces_an_input(self, cli: Cli, files: tuple[str, str]):
        """The old file stays as it is."""
        refused = cli("drift", files[0], "--against", files[1], "-o", files[1])
        assert refused.exit_code == 1
        assert "old.csv" in refused.stderr
