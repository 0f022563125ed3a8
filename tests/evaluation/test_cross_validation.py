"""Cross-validation, the learning curve, and comparing."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_blobs

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, LABELS, QUICKLY, TEXTS, write_csv
from embedclf.data.corpus import read_corpus
from embedclf.evaluation.learning import sizes_of
from embedclf.training.folds import out_of_fold
from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.training_set import TrainingSet
from running import Cli

REVIEWS = DATASETS / "product_reviews.csv"


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """600 vectors of unit length in five clouds, and which cloud each is of."""
    vectors, y = make_blobs(600, 16, centers=5, cluster_std=4, random_state=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), y.astype(np.intp)


class TestOutOfFold:
    """Predictions by classifiers that have not seen the example."""

    def test_every_example_is_left_out_once(self, blobs):
        """With its duplicates; its probabilities do not depend on its own label."""
        vectors, y = blobs
        groups = np.arange(600)
        groups[300:310] = groups[0]
        examples = TrainingSet(Inputs(vectors), y, groups, tuple("abcde"))
        recipe = Recipe("centroid", features="embedding")
        (one,) = out_of_fold(examples, recipe, n_folds=5, seeds=[0])
        assert len({one.folds[0], *one.folds[300:310]}) == 1
        assert sorted(np.unique(one.folds)) == [0, 1, 2, 3, 4]
        assert np.isfinite(one.probabilities).all()
        changed = y.copy()
        changed[5] = (y[5] + 1) % 5
        fold = one.folds[5]
        (other,) = out_of_fold(
            TrainingSet(Inputs(vectors), changed, groups, tuple("abcde")), recipe, n_folds=5, seeds=[0]
        )
        if other.folds[5] == fold:
            np.testing.assert_allclose(one.probabilities[5], other.probabilities[5], atol=0.2)

    def test_processes_and_threads_give_the_same(self, blobs):
        """Wherever the work is done."""
        import joblib

        vectors, y = blobs
        examples = TrainingSet(Inputs(vectors), y, np.arange(600), tuple("abcde"))
        answers = []
        for backend in ("loky", "threading", "sequential"):
            with joblib.parallel_config(backend=backend):
                (one,) = out_of_fold(examples, Recipe(C=3.0, features="embedding"), n_folds=3, seeds=[7])
            answers.append(one.probabilities)
        np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
        np.testing.assert_allclose(answers[0], answers[2], atol=1e-5)


class TestCrossValidate:
    """embedclf cross-validate."""

    def test_what_a_person_sees(self, cli: Cli, dataset: Path):
        """The figures of all folds together with their intervals, and each fold's."""
        result = cli("cross-validate", dataset, "--folds", 3)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert lines[0] == "rows               30 (3-fold cross-validation)"
        assert lines[1] == "accuracy           1.000  (0.884 to 1.000)"
        assert lines[2] == "baseline           0.333  (always delivery)"
        assert lines[3].startswith("words alone        0.")
        assert lines[4] == "macro-F1           1.000  (0.884 to 1.000)"
        assert lines[5].startswith("log loss           ")
        assert lines[6].startswith("calibration error  ")
        assert lines[8] == "fold  rows  accuracy  macro-F1  log loss"
        assert [line.split()[:2] for line in lines[9:12]] == [["1", "10"], ["2", "10"], ["3", "10"]]
        assert lines[13] == "label     precision  recall     F1  rows"
        assert [line.split() for line in lines[14:]] == [
            [label, "1.000", "1.000", "1.000", "10"] for label in ("delivery", "password", "refund")
        ]
        assert result.stderr.endswith("Fitting 3 classifiers …\n")

    @pytest.mark.slow
    def test_repeats(self, cli: Cli, dataset: Path):
        """Each has its own folds; the figures are means."""
        quickly = ("--head", "centroid", "--folds", 2)
        result = cli("cross-validate", dataset, *quickly, "--repeats", 3, "--json")
        shown = json.loads(result.stdout)
        assert [(fold["repeat"], fold["fold"]) for fold in shown["folds"]] == [
            (repeat, fold) for repeat in (1, 2, 3) for fold in (1, 2)
        ]
        assert shown["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in shown["folds"]]))
        assert shown["usage"]["requests"] == 0
        again = json.loads(cli("cross-validate", dataset, *quickly, "--repeats", 3, "--json").stdout)
        assert again == shown
        lines = cli("cross-validate", dataset, *quickly, "--repeats", 2).stdout.splitlines()
        assert lines[0] == "rows               30 (2-fold cross-validation, 2 repeats)"
        assert lines[8] == "repeat  fold  rows  accuracy  macro-F1  log loss"

    @pytest.mark.slow
    def test_out_of_fold_predictions_are_written(self, cli: Cli, dataset: Path):
        """A line for each row and repeat; their accuracy is the one that is printed."""
        options = ("--head", "centroid", "--folds", 3, "--repeats", 2)
        result = cli("cross-validate", dataset, *options, "--output", "apart.csv", "--json")
        assert "Wrote 60 rows to apart.csv\n" in result.stderr
        rows = list(csv.DictReader(Path("apart.csv").read_text().splitlines()))
        assert list(rows[0]) == ["line", "text", "label", "predicted_label", "confidence", "repeat", "fold"]
        assert [int(row["line"]) for row in rows] == [*range(2, 32)] * 2
        right = np.mean([row["label"] == row["predicted_label"] for row in rows])
        result_again = embedclf.cross_validate(TEXTS, LABELS, head="centroid", folds=3, repeats=2)
        assert [row["confidence"] for row in rows] == [
            f"{np.floor(one.confidence * 10_000) / 10_000:.4f}" for one in result_again.predictions
        ]
        assert json.loads(result.stdout)["accuracy"] == pytest.approx(right)

    def test_probabilities_of_all_labels(self, cli: Cli, dataset: Path):
        """For the texts as they were passed in; also written, for each repeat."""
        settings = {"head": "centroid", "features": "embedding", "label_names": False, "folds": 2, "repeats": 2}
        result = embedclf.cross_validate([*TEXTS, "gift cards"], [*LABELS, "shop"], **settings)
        assert result.classes == ("delivery", "password", "refund", "shop")
        assert result.probabilities.shape == (31, 4)
        assert np.isnan(result.probabilities[30]).all()  # the only text of its label
        assert result.probabilities[:30].sum(axis=1) == pytest.approx(1)
        for one in result.predictions:
            given = result.probabilities_by_repeat[one.repeat - 1, one.row]
            assert (one.label, one.confidence) == (result.classes[given.argmax()], given.max())
        options = ("--head", "centroid", "--features", "embedding", "--no-label-names", "--folds", 2, "--repeats", 2)
        cli("cross-validate", dataset, *options, "--output", "apart.jsonl", "--probabilities")
        rows = [json.loads(line) for line in Path("apart.jsonl").read_text().splitlines()]
        assert list(rows[0])[-3:] == ["probability_delivery", "probability_password", "probability_refund"]
        assert len(rows) == 60
        for row in rows:
            assert row[f"probability_{row['predicted_label']}"] == row["confidence"]
        refused = cli("cross-validate", dataset, "--probabilities")
        assert refused.exit_code == 2
        assert "--probabilities needs --output FILE, to which it adds columns." in refused.stderr

    @pytest.mark.slow
    def test_a_label_with_one_text_is_named_as_not_measured(self, cli: Cli, dataset: Path):
        """It is trained on wherever one fits."""
        with dataset.open("a") as file:
            file.write("Do you sell gift cards,shopping\n")
        lines = cli("cross-validate", dataset, "--folds", 3).stdout.splitlines()
        assert lines[0].startswith("rows               30 (")
        assert lines[7] == "not measured       1 row, the only text of its label: always used for training"

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_it_is_near_what_a_new_test_shows(self):
        """As good as the classifier on texts that it has not seen."""
        corpus, test = read_corpus(REVIEWS), read_corpus(DATASETS / "product_reviews_test.csv")
        result = embedclf.cross_validate(corpus.texts, corpus.labels)
        report = embedclf.evaluate(embedclf.train(corpus.texts, corpus.labels), test.texts, test.labels)
        assert result.accuracy_interval.low < report.accuracy_interval.high
        assert report.accuracy_interval.low < result.accuracy_interval.high
        assert result.report.n_examples == result.n_examples == len(corpus.texts)
        assert len(result.report.wrong) == round((1 - result.accuracy) * len(corpus.texts))
        for wrong in result.report.wrong[:5]:
            assert corpus.texts[wrong.row] == wrong.text

    def test_settings_that_cannot_be(self, cli: Cli, dataset: Path):
        """Said in one line."""
        with pytest.raises(embedclf.ArgumentError, match="at least 2 folds and at least 1 repeat, got 1 and 1"):
            embedclf.cross_validate(TEXTS, LABELS, folds=1)
        with pytest.raises(embedclf.ArgumentError, match="got 30 texts but 29 vectors"):
            embedclf.cross_validate(TEXTS, LABELS, vectors=np.zeros((29, 4), dtype=np.float32))
        with pytest.raises(embedclf.TrainingError, match="no label has two distinct texts"):
            embedclf.cross_validate(["a", "b"], ["1", "2"])
        with pytest.raises(embedclf.ArgumentError, match=r"regularization must be 'auto' or .* got 'much'"):
            embedclf.cross_validate(TEXTS, LABELS, regularization="much")
        for measure in (embedclf.cross_validate, embedclf.compare):
            with pytest.raises(TypeError, match=r"folds must be an integer, not 2\.5"):
                measure(TEXTS, LABELS, folds=2.5)
            with pytest.raises(embedclf.ArgumentError, match="at least 2 folds and at least 1 repeat, got 0 and 1"):
                measure(TEXTS, LABELS, folds=0)
        with pytest.raises(embedclf.ArgumentError, match="at least 2 folds and at least 1 repeat, got 5 and 0"):
            embedclf.cross_validate(TEXTS, LABELS, repeats=0)
        for measure in (embedclf.cross_validate, embedclf.compare, embedclf.learning_curve, embedclf.train):
            with pytest.raises(embedclf.ArgumentError, match="seed must be an integer of at least 0, not -1"):
                measure(TEXTS, LABELS, seed=-1)
            with pytest.raises(TypeError, match="seed must be an integer, not None"):
                measure(TEXTS, LABELS, seed=None)
        result = cli("cross-validate", dataset, "--head", "centroid", "--regularization", 1)
        assert result.exit_code == 2

    @pytest.mark.slow
    def test_vectors_are_paid_for_once(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """--dry-run says what it would cost, and what training embedded is in the cache."""
        assert "30 to embed" in cli("cross-validate", dataset, "--dry-run").stdout
        assert api.n_requests == 0
        cli("train", dataset, *QUICKLY)
        result = cli("cross-validate", dataset, "--head", "centroid", "--folds", 2)
        assert api.n_requests == 1
        assert "Embedding: 30 texts, 30 from cache, 0 duplicates, 0 requests" in result.stderr

    @pytest.mark.parametrize("repeats", [1, 2])
    def test_copies_make_nothing_surer(self, repeats: int):
        """Examples that stand three times have intervals as wide as those that stand once."""
        corpus = read_corpus(REVIEWS)
        texts, labels = corpus.texts[:200], corpus.labels[:200]
        options = {"folds": 4, "repeats": repeats, "head": "centroid"}
        once = embedclf.cross_validate(texts, labels, **options)
        thrice = embedclf.cross_validate(texts * 3, labels * 3, **options)
        for name in ("accuracy_interval", "macro_f1_interval"):
            low, high = getattr(thrice, name)
            least, most = getattr(once, name)
            assert high - low == pytest.approx(most - least, rel=0.15)

    def test_nothing_is_embedded_for_nothing(self, api: AimlapiServer):
        """What cannot be measured is said before anything is sent."""
        for measure, texts, labels, options in (
            (embedclf.cross_validate, ["a", "b"], ["1", "2"], {}),
            (embedclf.learning_curve, ["a", "b", "c", "d"], ["1", "2", "1", "2"], {}),
            (embedclf.compare, TEXTS, LABELS, {"folds": 1}),
            (embedclf.compare, TEXTS, LABELS, {"heads": []}),
            (embedclf.compare, ["a", "b"], ["1", "2"], {}),
        ):
            with pytest.raises(embedclf.ArgumentError if options else embedclf.TrainingError):
                measure(texts, labels, **options)
        assert api.n_requests == 0

    @pytest.mark.slow
    def test_few_rows_are_warned_of(self, cli: Cli, tmp_path: Path):
        """Once, by each command that measures."""
        chosen = [*range(6), *range(10, 16), *range(20, 26)]
        path = write_csv(tmp_path / "few.csv", [(f'"{TEXTS[row]}"', LABELS[row]) for row in chosen])
        far = "metrics are unreliable\n"
        for command, what in (
            (("cross-validate", "--head", "centroid"), "18 rows cross-validated"),
            (
                ("compare", "--head", "centroid", "--features", "words", "--features", "embedding"),
                "18 rows cross-validated",
            ),
            (("learning-curve", "--head", "centroid"), "4 rows held out"),
        ):
            result = cli(*command, path)
            assert result.exit_code == 0
            assert result.stderr.count("Warning: ") == 1
            assert f"Warning: only {what}: {far}" in result.stderr


class TestLearningCurve:
    """embedclf learning-curve."""

    @pytest.mark.parametrize(
        ("n", "n_classes", "sizes"),
        [
            (24, 3, [3, 6, 12, 24]),
            (23, 3, [5, 11, 23]),
            (2, 3, []),
            (8_002, 77, [125, 250, 500, 1_000, 2_000, 4_001, 8_002]),
        ],
    )
    def test_sizes(self, n: int, n_classes: int, sizes: list[int]):
        """Half of it, a quarter and so on, as long as there is one a label."""
        assert sizes_of(n, n_classes) == sizes

    def test_what_a_person_sees(self, cli: Cli):
        """A table with a plot, and whether more labels would help."""
        result = cli("learning-curve", REVIEWS, "--head", "centroid")
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert lines[0] == "Held-out test: 126 rows"
        assert re.fullmatch(r"training rows  accuracy   95 % interval  0\.\d{3} {29}0\.\d{3}", lines[1])
        assert [line.split()[0] for line in lines[2:10]] == ["3", "7", "15", "31", "63", "126", "252", "504"]
        for line in lines[2:10]:
            assert re.search(r"  -*o-*$", line)
        assert re.match(r"From 252 to 504 labelled rows, accuracy changed by [+−]\d\.\d points \(.* to ", lines[11])
        assert max(map(len, lines[:10])) <= 80

    @pytest.mark.slow
    def test_it_rises_and_repeats(self, cli: Cli):
        """More labels are better, and the same command says the same."""
        quickly = ("--features", "embedding", "--head", "centroid")
        shown = json.loads(cli("learning-curve", REVIEWS, *quickly, "--json").stdout)
        points = shown["points"]
        assert points[-1]["accuracy"] > points[0]["accuracy"] + 0.1
        assert [point["n_draws"] for point in points] == [5, 5, 5, 5, 5, 4, 2, 1]
        assert shown["gain"] == pytest.approx(points[-1]["accuracy"] - points[-2]["accuracy"])
        assert json.loads(cli("learning-curve", REVIEWS, *quickly, "--json").stdout) == shown

    def test_the_points_are_written(self, cli: Cli, dataset: Path):
        """A row each, with the ends of its interval."""
        done = cli("learning-curve", dataset, "--head", "centroid", "-o", "curve.csv", "--json")
        assert "Wrote 4 rows to curve.csv\n" in done.stderr
        header, *rows = Path("curve.csv").read_text().splitlines()
        assert header == "training_rows,samples,accuracy,accuracy_low,accuracy_high"
        for row, one in zip(rows, json.loads(done.stdout)["points"], strict=True):
            figures = [f"{figure:.4f}" for figure in (one["accuracy"], *one["interval"])]
            assert row.split(",") == [str(one["n_labels"]), str(one["n_draws"]), *figures]

    def test_verdicts(self):
        """What the interval of the last doubling allows to say, and no more."""
        from embedclf.evaluation.learning import LearningCurve, LearningPoint
        from embedclf.stats.intervals import Interval

        points = tuple(LearningPoint(n, 1, 0.5, Interval(0.4, 0.6)) for n in (1_000, 2_000))

        def verdict(gain: float, low: float, high: float) -> str:
            return LearningCurve(100, points, gain, Interval(low, high)).verdict

        assert verdict(0.021, 0.004, 0.038) == (
            "From 1,000 to 2,000 labelled rows, accuracy changed by +2.1 points (+0.4 to +3.8): more labels are "
            "likely to help."
        )
        assert verdict(0.001, -0.006, 0.008).endswith("more labels of this kind are unlikely to help much.")
        assert verdict(0.021, -0.004, 0.046).endswith(
            ", which may be chance: more held-out rows would show whether more labels help."
        )
        assert verdict(-0.03, -0.05, -0.01).endswith(
            ": a drop, which more labels rarely cause. Try another seed before you rely on it."
        )

    def test_too_few(self, cli: Cli, tmp_path: Path):
        """Said, with what it needs."""
        path = write_csv(tmp_path / "few.csv", [("a b", "x"), ("c d", "y"), ("e f", "x"), ("g h", "y")])
        result = cli("learning-curve", path)
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "Error: 4 examples of 2 labels are too few for a learning curve: besides those held out, it needs at "
            "least 4\n"
        )


class TestCompare:
    """embedclf compare."""

    @pytest.mark.slow
    def test_what_a_person_sees(self, cli: Cli):
        """A row for each combination, the best first, and whether the others are worse."""
        quickly = ("--features", "embedding", "--folds", 3)
        result = cli("compare", REVIEWS, *quickly, "--dimensions", 64, "--dimensions", 256, "--dimensions", 999)
        assert "Warning: skipped: wordllama:l2_supercat supports 64, 128 or 256 dimensions, got 999\n" in (
            result.stderr
        )
        lines = result.stdout.splitlines()
        assert lines[0] == "630 rows (3-fold cross-validation):"
        assert lines[1].split() == (
            [
                "embedder",
                "dims",
                "head",
                "features",
                "accuracy",
                "(95",
                "%)",
                "Δ",
                "accuracy",
                "vs",
                "best",
                "(95",
                "%)",
                "tokens",
                "dollars",
                "model",
                "ms/text",
            ]
        )
        named = "wordllama:l2_supercat   {}  logistic  embedding  "
        assert re.match(named.format("256") + r"0\.[67]\d\d \(0\.[67]\d\d to 0\.\d{3}\)  best ", lines[2])
        assert re.match(
            named.format(" 64") + r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)  -0\.\d{3} \(-0\.\d{3} to -?0\.\d{3}\)",
            lines[3],
        )
        assert lines[2].split()[-4] == "free"

    def test_what_is_as_good_is_not_surely_so(self, cli: Cli, dataset: Path):
        """Of 30 rows that both have right, an exact 11.6 points may be between them."""
        lines = cli("compare", dataset, "--head", "logistic", "--head", "centroid").stdout.splitlines()
        assert "  best  " in lines[2]
        assert "  0.000 (-0.116 to 0.116), not significant  " in lines[3]

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_the_same_folds(self, cli: Cli):
        """The best is what cross-validate says; heads of one embedder differ by their pairs."""
        of_vectors = (REVIEWS, "--features", "embedding", "--json")
        shown = json.loads(cli("compare", *of_vectors, "--head", "logistic", "--head", "centroid").stdout)
        best, other = shown["candidates"]
        alone = json.loads(cli("cross-validate", *of_vectors, "--head", best["head"]).stdout)
        assert best["accuracy"] == alone["accuracy"]
        assert best["difference"] == 0
        assert other["difference"] == pytest.approx(other["accuracy"] - best["accuracy"])
        assert best["model_bytes"] == pytest.approx(embedclf_model_bytes(cli), abs=250)

    @pytest.mark.slow
    def test_money(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """Lengths of one model share its vectors; what is embedded is counted as if nothing were cached."""
        options = ("compare", dataset, "--embedder", "aimlapi", "--embedder", "aimlapi:text-embedding-3-large")
        options = (*options, "--head", "centroid")
        lengths = ("--dimensions", 64, "--dimensions", 1536, "--folds", 2)
        dry = cli(*options, *lengths, "--dry-run").stdout.splitlines()
        assert [line.split(": ")[0] for line in dry] == [
            "aimlapi:text-embedding-3-small",
            "aimlapi:text-embedding-3-large",
            "Total",
        ]
        assert api.n_requests == 0
        for _ in range(2):
            shown = json.loads(cli(*options, *lengths, "--json").stdout)
            assert api.n_requests == 2
            assert sorted((one["embedder"][-5:], one["dimensions"]) for one in shown["candidates"]) == [
                ("large", 64),
                ("large", 1536),
                ("small", 64),
                ("small", 1536),
            ]
            assert {one["tokens"] for one in shown["candidates"]} == {api_tokens(dataset)}
            assert {one["ms_to_embed"] for one in shown["candidates"]} == {None}
        api.reset()
        assert cli(*options, *lengths, "--no-cache").exit_code == 0
        assert api.n_requests == 2

    def test_max_cost_is_for_all_together(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """Not for each."""
        options = ("compare", dataset, "--embedder", "aimlapi", "--embedder", "aimlapi:text-embedding-ada-002")
        tokens = api_tokens(dataset)
        result = cli(*options, "--max-cost", f"{tokens * 0.11e-6:.9f}")
        assert result.exit_code == 1
        assert "embedding the texts with all embedders would cost about $0.00" in result.stderr
        assert api.n_requests == 0
        assert cli(*options, "--folds", 2, "--max-cost", f"{tokens * 0.2e-6:.9f}").exit_code == 0

    def test_max_cost_holds_without_a_known_price(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """The second has what the first has left."""
        options = ("compare", dataset, "--embedder", "aimlapi:text-embedding-ada-002", "--embedder", "aimlapi:voyage-2")
        tokens = api_tokens(dataset)
        first, second = tokens * 0.1e-6, tokens * 0.12e-6
        result = cli(*options, "--max-cost", f"{first + 0.9 * second:.9f}")
        assert result.exit_code == 1
        assert "spent of --max-cost" in result.stderr
        assert first < api.dollars_charged <= first + 0.9 * second + 5e-7

    @pytest.mark.slow
    def test_refused_rows_are_left_out_for_all(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """So that the folds stay the same."""
        from aimlapi_server import error

        api.fault = lambda request: error(400, "flagged") if "Where is my parcel?" in request.texts else None
        options = ("compare", dataset, "--embedder", "aimlapi", "--embedder", "wordllama", "--folds", 2)
        result = cli(*options)
        assert result.exit_code == 1
        assert f"{dataset}:2: rejected by text-embedding-3-small" in result.stderr
        result = cli(*options, "--skip-bad-rows")
        assert result.stdout.splitlines()[0] == "29 rows (2-fold cross-validation):"

    def test_in_python(self):
        """A record."""
        result = embedclf.compare(TEXTS, LABELS, embedders=["wordllama"], heads=["logistic", "centroid"], folds=2)
        assert [one.head for one in result.candidates].count("centroid") == 1
        assert result.to_dict()["candidates"][0]["difference_interval"] == [0, 0]
        with pytest.raises(TypeError, match=r"embedders must be a list, not a single str: \['wordllama'\]"):
            embedclf.compare(TEXTS, LABELS, embedders="wordllama")
        with pytest.raises(TypeError, match="heads must be a list"):
            embedclf.compare(TEXTS, LABELS, heads="centroid")
        worse = result.candidates[1]
        assert worse.difference_interval.low < worse.difference < worse.difference_interval.high
        assert worse.difference_interval.high > 0
        with pytest.raises(embedclf.EmbedderError, match="dimensions, got 999"):
            embedclf.compare(TEXTS, LABELS, embedders=["wordllama"], dimensions=[999])

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ({"embedders": ["wordllama", "words"], "dimensions": [64, 256]}, {"64 auto", "256 auto", "0 words"}),
            ({"embedders": ["words", "words:ngrams", embedclf.open_embedder("words")]}, {"0 words"}),
            ({"embedders": ["wordllama", "words"], "features": ["embedding", "words"]}, {"256 embedding", "0 words"}),
            ({"embedders": [None, "wordllama", "wordllama:l2_supercat"], "dimensions": [None, 256]}, {"256 auto"}),
            ({"embedders": (name for name in ["wordllama"]), "features": ["both", "both"]}, {"256 both"}),
        ],
    )
    def test_each_combination_is_compared_once(self, asked, shown):
        """Also one that is named twice, in two ways; the embedder `words` is words alone."""
        found = embedclf.compare(TEXTS, LABELS, heads=["centroid"], folds=2, **asked).candidates
        named = [f"{one.dimensions} {one.features}" for one in found]
        assert (set(named), len(named)) == (shown, len(shown))

    def test_words_have_no_embeddings_to_compare(self):
        """As `train` has it."""
        with pytest.raises(embedclf.ArgumentError, match="words:ngrams has no embeddings: features='both' needs"):
            embedclf.compare(TEXTS, LABELS, embedders=["words"], features=["words", "both"])


def embedclf_model_bytes(cli: Cli) -> int:
    cli("train", REVIEWS, "-o", "m.safetensors", "--features", "embedding")
    return Path("m.safetensors").stat().st_size


def api_tokens(dataset: Path) -> int:
    from aimlapi_server import tokens

    return sum(tokens(text) for text in TEXTS)
