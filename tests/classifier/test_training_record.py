"""What a model file remembers of its training."""

from typing import Any

import pytest

from embedclf.classifier.training_record import TrainingRecord, recordable, rows_digest


@pytest.mark.parametrize(
    ("names", "recorded"),
    [
        (["t.csv"], ("t.csv",)),
        (["./data//t.csv", "more/../t.csv"], ()),
        (["./data//t.csv", "u.csv"], ("data/t.csv", "u.csv")),
        (["/home/me/t.csv"], ()),
        (["../t.csv"], ()),
        (["C:\\t.csv"], ()),
        (["c:t.csv"], ()),
        (["\\\\server\\t.csv"], ()),
        (["-"], ()),
        (["t.csv", "-"], ()),
        (["."], ()),
        (["a\nb.csv"], ()),
        (["\udc80.csv"], ()),
    ],
)
def test_names_say_only_where_to_look(names: list[str], recorded: tuple[str, ...]):
    """All of them, or none."""
    assert recordable(names) == recorded


def test_a_record_is_read_as_it_was_written():
    record = TrainingRecord(
        *("00", 3, "both", 0.5, False, 0.25, 7, 0.9, None, {"a": 2.0}, True, ("t.csv",), {"delimiter": ";"})
    )
    assert TrainingRecord.from_dict({**record.to_dict(), "of a later version": 1}) == record
    assert TrainingRecord("00", 3).to_dict() == {"digest": "00", "n_rows": 3}


@pytest.mark.parametrize(
    "damage",
    [
        {"files": ["/etc/passwd"]},
        {"files": ["../t.csv"]},
        {"files": [1]},
        {"files": "t.csv"},
        {"features": "all"},
        {"class_weight": "heavy"},
        {"class_weight": {"a": -1}},
        {"holdout": 2},
        {"C": float("nan")},
        {"seed": True},
        {"reading": {"encoding": 1}},
        {"n_rows": None},
        {"n_rows": -1},
        {"seed": -1},
        {"C": 0},
        {"class_weight": {"a": 0}},
        {"target_recall": {"a": 1.5}},
        {"reading": {"label_columns": [1]}},
    ],
)
def test_anything_else_is_refused(damage: dict[str, Any]):
    with pytest.raises((TypeError, ValueError)):
        TrainingRecord.from_dict({"digest": "00", "n_rows": 3, **damage})


def test_the_digest_is_of_texts_labels_and_their_order():
    rows = [(["a", "bc"], ["x", "y"]), (["ab", "c"], ["x", "y"]), (["bc", "a"], ["y", "x"]), (["a", "bc"], ["x", "z"])]
    assert len({rows_digest(*one) for one in rows}) == len(rows)
