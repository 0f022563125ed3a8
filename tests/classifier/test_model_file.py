"""The model file and the TextClassifier that comes out of it."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import embedclf
from corpus import SUPPORT, TEXTS
from running import Cli
from tampering import rewrite


def test_loading_gives_the_same_answers(model: Path, trained: embedclf.TextClassifier):
    """To the bit, and the card too; saving again gives the same bytes."""
    loaded = embedclf.load(model)
    assert (loaded.predict_proba(TEXTS) == trained.predict_proba(TEXTS)).all()
    assert loaded.card == trained.card
    assert loaded.classes == ("delivery", "password", "refund")
    loaded.save("again.safetensors")
    assert Path("again.safetensors").read_bytes() == model.read_bytes()


def test_predictions_have_their_shapes_and_types(trained: embedclf.TextClassifier):
    """predict gives a list of str, predict_proba (n, n_classes) float32 whose rows sum to 1."""
    assert trained.predict(["Where is my refund?"]) == ["refund"]
    probabilities = trained.predict_proba(text for text in TEXTS)
    assert probabilities.shape == (30, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert trained.predict([]) == []
    assert trained.predict_proba([]).shape == (0, 3)
    with pytest.raises(TypeError, match="texts must be a list of strings, not a single str"):
        trained.predict("Where is my refund?")
    with pytest.raises(embedclf.TextError):
        trained.predict(["good", ""])


def test_a_stored_threshold_abstains(model: Path, tmp_path: Path):
    """Below it the label is None."""
    sure = embedclf.load(rewrite(model, tmp_path / "m.safetensors", threshold=0.999999))
    assert sure.predict(["hello"]) == [None]


def test_a_file_of_before_there_were_thresholds_still_loads(model: Path, tmp_path: Path):
    """Without the fields that came later, they are None."""
    figures = {"accuracy": 0.9, "macro_f1": 0.8, "ece": 0.1, "n_examples": 6}
    old = embedclf.load(rewrite(model, tmp_path / "m.safetensors", out_of_scope_label=..., held_out=figures))
    assert old.card.out_of_scope_label is None
    assert (old.card.held_out.accuracy, old.card.held_out.coverage) == (0.9, None)
    assert old.predict(["Where is my refund?"]) == ["refund"]


def test_it_remembers_its_columns(trained: embedclf.TextClassifier, model: Path, tmp_path: Path):
    """Columns of the usual names leave the file as it is; a name that could not be saved is forgotten."""
    path = tmp_path / "m.safetensors"
    trained.with_columns("Message", "Category").save(path)
    card = embedclf.load(path).card
    assert (card.text_column, card.label_column) == card.columns == ("Message", "Category")
    trained.with_columns("text", "half a \ud800").save(path)
    assert path.read_bytes() == model.read_bytes()
    with pytest.raises(embedclf.ModelFileError, match="invalid 'text_column' 1"):
        embedclf.load(rewrite(model, path, text_column=1))
    with pytest.raises(embedclf.ModelFileError, match="the text column 'a' was given twice"):
        embedclf.load(rewrite(model, path, text_columns=["a", "a"]))


def test_threads_share_a_classifier(trained: embedclf.TextClassifier):
    """Eight threads get the answers that one gets."""
    expected = trained.predict_proba(TEXTS)
    wrong = []

    def ask() -> None:
        for _ in range(20):
            if not (trained.predict_proba(TEXTS) == expected).all():
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_it_never_runs_code(tmp_path: Path):
    """A pickle that would is refused unread."""
    path = tmp_path / "evil.safetensors"
    path.write_bytes(b"cos\nsystem\n(S'touch was_run'\ntR.")
    with pytest.raises(embedclf.ModelFileError):
        embedclf.load(path)
    assert not Path("was_run").exists()


RULES = {"thresholds": [0.5, 0.5, 0.5], "at_least_one": True, "separator": "|"}
TARGET = {
    "label": "refund",
    "figure": "precision",
    "target": 0.9,
    "threshold": 0.5,
    "cross_validated": 0.95,
    "n_examples": 9,
}
REFERENCE = {"n_examples": 60, "confidence": [0.5] * 21, "energy": [0.5] * 21, "abstained": 0, "labels": [60, 0, 0]}
FIGURES = {"accuracy": 0.9, "macro_f1": 0.8, "ece": 0.1, "n_examples": 6}
RECALL = {"label": "refund", "recall": 0.5, "likeliest": 0.4, "n_examples": 3}
COST = {
    "mean": 1,
    "mean_interval": [0, 2],
    "likeliest": 1,
    "likeliest_interval": [0, 2],
    "difference": 0,
    "difference_interval": [-1, 1],
    "abstained": 0,
    "n_examples": 6,
}
ANSWERS = {
    "likeliest_accuracy": 0.9,
    "likeliest_accuracy_interval": [0.8, 1],
    "difference": 0,
    "difference_interval": [-0.1, 0.1],
    "recalls": [RECALL],
    "targets": [],
    "cost": COST,
}
RECORD = {"digest": "00", "n_rows": 30}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 5}, "is in format 5, but this version of embedclf reads formats up to 4; update with: pip"),
        ({"format": "1"}, "invalid 'format' '1'; train it again"),
        ({"classes": ["a", "b"]}, "2 classes do not match 3 rows of weights"),
        ({"classes": ["a", "b", "b"]}, "class names are not unique"),
        ({"classes": ["a", "b", 3]}, "invalid 'classes' 3"),
        ({"classes": ...}, "'classes' is missing"),
        ({"temperature": "hot"}, "invalid 'temperature' 'hot'"),
        ({"temperature": 0}, "invalid 'temperature' 0"),
        ({"temperature": 10**400}, "is not a usable model file"),
        ({"held_out": {"accuracy": 1}}, "'macro_f1' is missing"),
        ({"held_out": {"accuracy": "x", "macro_f1": 1, "ece": 1, "n_examples": 1}}, "invalid 'accuracy' 'x'"),
        ({"threshold": 2}, "invalid 'threshold' 2"),
        ({"out_of_scope_label": 3}, "invalid 'out_of_scope_label' 3"),
        ({"scope": [1]}, "invalid 'scope' [1]"),
        (
            {"scope": {"intercept": 0, "log_odds": 1, "energy": 0, "temperature": 1}},
            "its 'scope' needs an 'out_of_scope_label'",
        ),
        ({"scope": {"intercept": 0, "log_odds": 1, "energy": 0}}, "'temperature' is missing"),
        ({"scope": {"intercept": 0, "log_odds": 1e31, "energy": 0, "temperature": 1}}, "invalid 'log_odds' 1e+31"),
        ({"out_of_scope_label": "refund"}, "its 'out_of_scope_label' 'refund' is one of its classes"),
        (
            {"held_out": {"accuracy": 1, "macro_f1": 1, "ece": 0, "n_examples": 1, "coverage": 2}},
            "invalid 'coverage' 2",
        ),
        ({"n_examples": -4}, "invalid 'n_examples' -4"),
        ({"head": "evil"}, "invalid 'head' 'evil'"),
        ({"conformal": 3}, "invalid 'conformal' 3"),
        ({"conformal": {"n_examples": 3, "n_likeliest": 4, "steps": []}}, "invalid 'n_likeliest' 4 of 3"),
        ({"conformal": {"n_examples": 3, "n_likeliest": 1, "likeliest": [0.5], "steps": []}}, "invalid 'steps' []"),
        (
            {"conformal": {"n_examples": 3, "n_likeliest": 1, "likeliest": [0.5], "steps": [0.1, 0.2]}},
            "invalid 'steps' [0.1, 0.2]",
        ),
        ({"conformal": {"n_examples": 3, "n_likeliest": 1, "likeliest": [0.5], "steps": [2]}}, "invalid 'steps' [2]"),
        ({"conformal": {"n_examples": 3, "n_likeliest": 1, "likeliest": [0.5]}}, "'steps' is missing"),
        ({"reference": 3}, "invalid 'reference' 3"),
        ({"reference": {"n_examples": 60}}, "'abstained' is missing"),
        ({"reference": REFERENCE | {"n_examples": 0}}, "invalid 'n_examples' 0 of its 'reference'"),
        ({"reference": REFERENCE | {"abstained": 1.5}}, "invalid 'abstained' 1.5"),
        ({"reference": REFERENCE | {"abstained": float("nan")}}, "invalid 'abstained' nan"),
        ({"reference": REFERENCE | {"labels": [60, 0]}}, "invalid 'labels' [60, 0] of its 'reference'"),
        ({"reference": REFERENCE | {"labels": [61, 0, 0]}}, "invalid 'labels' [61, 0, 0] of its 'reference'"),
        ({"reference": REFERENCE | {"confidence": [0.5]}}, "invalid 'confidence' [0.5] of its 'reference'"),
        ({"reference": REFERENCE | {"confidence": [0.5] * 20 + [0.4]}}, "invalid 'confidence' [0.5, 0.5"),
        ({"reference": REFERENCE | {"confidence": [0.5] * 20 + [1.1]}}, "invalid 'confidence' [0.5, 0.5"),
        ({"reference": REFERENCE | {"energy": [float("-inf")] + [0.5] * 20}}, "invalid 'energy' [-inf"),
        ({"reference": REFERENCE | {"energy": [float("nan")] * 21}}, "invalid 'energy' [nan"),
        ({"costs": [["refund", "parcel", 1]]}, "costs name the label 'parcel', which does not occur"),
        ({"costs": [["parcel", None, 1]]}, "costs name the label 'parcel', which does not occur"),
        ({"costs": [["refund", "delivery", -1]]}, "a cost of its 'costs' is -1"),
        ({"costs": [["refund", "delivery", float("nan")]]}, "a cost of its 'costs' is nan"),
        ({"costs": [["refund", "other", 1]], "out_of_scope_label": "other"}, "out-of-scope label 'other' as an answer"),
        ({"costs": []}, "its 'costs' are empty"),
        (
            {"costs": [["refund", None, 1]], "class_weights": [1, 1, 1]},
            "its 'class_weights' cannot be used with its 'co",
        ),
        ({"multilabel": RULES, "costs": [["refund", None, 1]]}, "its 'costs' cannot be used with its 'multilabel'"),
        ({"multilabel": RULES | {"thresholds": [0.5, 0.5, float("nan")]}}, "invalid 'thresholds' nan"),
        ({"multilabel": RULES | {"thresholds": [0.5, 0.5, 1.5]}}, "invalid 'thresholds' 1.5"),
        ({"multilabel": RULES | {"separator": " "}}, "invalid 'separator' ' '"),
        ({"class_weights": [1, 1, 0]}, "invalid 'class_weights' 0"),
        ({"class_weights": [1, 1, float("inf")]}, "invalid 'class_weights' inf"),
        ({"targets": [TARGET | {"label": "parcel"}]}, "the label 'parcel' of its 'targets' is not one of its classes"),
        ({"targets": [TARGET | {"n_examples": -1}]}, "invalid 'n_examples' -1"),
        ({"targets": [TARGET | {"threshold": float("nan")}]}, "invalid 'threshold' nan"),
        ({"targets": [TARGET | {"cross_validated": 1.1}]}, "invalid 'cross_validated' 1.1"),
        ({"targets": [TARGET | {"figure": "f1"}]}, "invalid 'figure' 'f1'"),
        ({"targets": [TARGET, TARGET]}, "a label of its 'targets' has two of the same figure"),
        ({"threshold": float("nan")}, "invalid 'threshold' nan"),
        ({"held_out": FIGURES | {"n_examples": -6}}, "invalid 'n_examples' -6"),
        ({"held_out": FIGURES | {"micro_f1": 1.5}}, "invalid 'micro_f1' 1.5"),
        ({"held_out": FIGURES | {"labels_per_text": 4}}, "invalid 'labels_per_text' 4"),
        ({"held_out": FIGURES | {"answers": ANSWERS | {"likeliest_accuracy": -1}}}, "invalid 'likeliest_accuracy' -1"),
        (
            {"held_out": FIGURES | {"answers": ANSWERS | {"difference_interval": [1, 0]}}},
            "invalid 'difference_interval'",
        ),
        ({"held_out": FIGURES | {"answers": ANSWERS | {"recalls": [RECALL | {"label": "x"}]}}}, "the label 'x' of its"),
        ({"held_out": FIGURES | {"answers": ANSWERS | {"recalls": [RECALL | {"recall": 2}]}}}, "invalid 'recall' 2"),
        ({"held_out": FIGURES | {"answers": ANSWERS | {"cost": COST | {"abstained": 2}}}}, "invalid 'abstained' 2"),
        ({"held_out": FIGURES | {"answers": ANSWERS | {"cost": COST | {"n_examples": 0}}}}, "invalid 'n_examples' 0"),
        ({"training": RECORD | {"n_rows": -30}}, "invalid 'n_rows' -30"),
        (
            {"training": RECORD | {"class_weight": {"parcel": 2}}},
            "the label 'parcel' of its 'class_weight' is not one of",
        ),
        ({"training": RECORD | {"target_recall": {"parcel": 0.9}}}, "the label 'parcel' of its 'target_recall' is not"),
        ({"embedder": {"provider": "p", "model": "m", "dimensions": -1, "endpoint": None}}, "invalid 'dimensions' -1"),
        ({"format": 0}, "invalid 'format' 0"),
        ({"classes": ["a", "b", ""]}, "the name of a class is empty"),
        ({"classes": ["a", "b", "\ud800"]}, "the name of a class contains half a character"),
        ({"tensors": {"weights": np.full((3, 256), 3e38, np.float32)}}, "so large that scores would overflow"),
        ({"tensors": {"weights": np.full((3, 256), np.nan, np.float32)}}, "some weights are not finite"),
        ({"tensors": {"bias": np.full(3, np.inf, np.float32)}}, "some weights are not finite"),
        ({"tensors": {"bias": np.zeros(4, np.float32)}}, "do not match a bias of shape"),
        (
            {"tensors": {"weights": np.zeros((3, 256))}},
            "its tensors must be the float32 'weights' and the float32 'bias'",
        ),
        ({"tensors": {"more": np.zeros(3)}}, "its tensors must be the float32 'weights' and the float32 'bias'"),
        (
            {"tensors": {"weights": np.zeros((3, 64), np.float32)}},
            "its weights have 64 dimensions, but its embedder wordllama:l2_supercat has 256",
        ),
    ],
)
def test_what_cannot_be_is_refused(cli: Cli, model: Path, tmp_path: Path, changes: dict, message: str):
    """A newer format, other dimensions, weights that are not finite, classes that do not fit: one clear line."""
    path = rewrite(model, tmp_path / "m.safetensors", **changes)
    result = cli("predict", "-m", path, "x")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path} is ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_may_be_is_read(model: Path, tmp_path: Path):
    """The same rules and figures, undamaged."""
    more = {"targets": [TARGET], "held_out": FIGURES | {"answers": ANSWERS}, "training": RECORD}
    loaded = embedclf.load(rewrite(model, tmp_path / "m.safetensors", format=4, **more))
    assert loaded.card.held_out.answers.cost.abstained == 0
    for rules in ({"multilabel": RULES}, {"costs": [["refund", None, 1], ["*", "delivery", 2]]}):
        assert embedclf.load(rewrite(model, tmp_path / "m.safetensors", format=4, **rules)).card.rules


def test_a_foreign_or_broken_file_is_refused(cli: Cli, model: Path, tmp_path: Path):
    """Cut short at every kind of place, of another program, a folder, or not there."""
    whole = model.read_bytes()
    for size in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:size])
        result = cli("predict", "-m", "cut.safetensors", "x")
        assert result.exit_code == 1
        assert "cut.safetensors is not a model file, or is damaged or truncated (" in result.stderr
    save_file({"a": np.zeros(3)}, tmp_path / "theirs.safetensors")
    assert cli("predict", "-m", "theirs.safetensors", "x").stderr == (
        "Error: theirs.safetensors is a safetensors file that embedclf did not write\n"
    )
    assert cli("predict", "-m", tmp_path, "x").stderr == f"Error: {tmp_path} is a folder, not a model file\n"
    assert cli("predict", "-m", "none", "x").stderr == ("Error: model not found: none; train one with embedclf train\n")


def test_one_flipped_bit_is_found(cli: Cli, model: Path, tmp_path: Path):
    """In a weight, and in a label's name."""
    whole = model.read_bytes()
    for place in (len(whole) - 9, whole.index(b"refund")):
        data = bytearray(whole)
        data[place] ^= 1
        (tmp_path / "m.safetensors").write_bytes(data)
        result = cli("predict", "-m", "m.safetensors", "x")
        assert result.exit_code == 1
        assert result.stderr == (
            "Error: m.safetensors is damaged: its checksum does not match; train or copy it again\n"
        )


def test_one_of_version_0_1_0_is_read():
    """It has no checksum. A name of a field that no version knows is damage there."""
    old = SUPPORT / "written_by_0_1_0" / "model.safetensors"
    probabilities = embedclf.load(old).predict_proba(["Where is my refund?"])
    np.testing.assert_allclose(probabilities, [[3.5784419e-03, 7.2634895e-04, 9.9569523e-01]], rtol=1e-4)
    Path("m.safetensors").write_bytes(old.read_bytes().replace(b"threshold", b"threshuld"))
    with pytest.raises(embedclf.ModelFileError, match="unknown field 'threshuld' in a file without a checksum; train"):
        embedclf.load("m.safetensors")


def test_half_a_character_in_what_is_known_of_it(model: Path, tmp_path: Path):
    """It could not be printed, nor saved again."""
    path = rewrite(model, tmp_path / "m.safetensors", version="\ud800")
    with pytest.raises(embedclf.ModelFileError, match=r"its metadata contains the lone surrogate \\ud800"):
        embedclf.load(path)


def test_a_named_pipe_is_not_waited_for(cli: Cli, tmp_path: Path):
    """Nor is a device read without end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link"):
        assert cli("predict", "-m", name, "x").stderr == f"Error: {name} cannot be read (it is not a regular file)\n"


def test_an_embedder_that_is_unknown_here(cli: Cli, model: Path, tmp_path: Path):
    """The error says what the model was trained with."""
    spec = {"provider": "other", "model": "m", "dimensions": 256, "endpoint": None}
    path = rewrite(model, tmp_path / "m.safetensors", embedder=spec)
    result = cli("predict", "-m", path, "x")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {path} was trained with a third-party embedder (other:m): a model file cannot choose which package "
        "to load, so pass it with --embedder other:m (embedder=…)\n"
    )


def test_an_endpoint_in_a_file_is_not_called(cli: Cli, model: Path, tmp_path: Path):
    """It is compared, and a strange one refused."""
    spec = {"provider": "wordllama", "model": "l2_supercat", "dimensions": 256, "endpoint": "http://127.0.0.1:9"}
    path = rewrite(model, tmp_path / "m.safetensors", embedder=spec)
    result = cli("predict", "-m", path, "x")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {path} was trained with wordllama:l2_supercat at http://127.0.0.1:9, but would now call no "
        "URL. A URL in a model file is never called automatically: if you trust it, pass it with --base-url or "
        "AIMLAPI_BASE_URL (in Python: base_url=…)\n"
    )


def test_arrays_in_any_order_of_memory_are_saved_right(trained: embedclf.TextClassifier, tmp_path: Path):
    """Weights that lie column by column come back the same."""
    model = embedclf.LinearModel(np.asfortranarray(trained.model.weights), trained.model.bias, trained.classes)
    embedclf.TextClassifier(trained.embedder, model, trained.card).save("f.safetensors")
    assert (embedclf.load("f.safetensors").model.weights == trained.model.weights).all()


def test_a_file_in_place_keeps_its_mode_and_links(trained: embedclf.TextClassifier, tmp_path: Path):
    """Saving over a link writes what it points to; the mode stays; nothing else is left behind."""
    Path("real").touch(mode=0o640)
    Path("link").symlink_to("real")
    trained.save("link")
    assert Path("link").is_symlink()
    assert Path("real").stat().st_mode & 0o777 == 0o640
    assert embedclf.load("real").card == trained.card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_full_disk_leaves_the_old_file(trained: embedclf.TextClassifier):
    """An output that cannot be written is one clear error."""
    with pytest.raises(embedclf.OutputError, match="cannot write /dev/full: No space left on device"):
        trained.save("/dev/full")
