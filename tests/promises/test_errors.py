"""The errors: one tree, and each reaches another process whole."""

import copy
import pickle

import pytest

import embedclf
from embedclf.errors import BadRowsError, MissingValueError, RowFault

ERRORS = [
    embedclf.EmbedclfError("a"),
    embedclf.DataError("a", source="x.csv", line=3),
    BadRowsError("a", source="x.csv", faults=[RowFault(3, "empty")]),
    embedclf.TextError({4: "the text is empty"}),
    MissingValueError("a"),
    embedclf.EmbedderError("a"),
    embedclf.TrainingError("a"),
    embedclf.ModelFileError("a", path="m"),
    embedclf.OutputError("a", path="m"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_survives_pickle_and_copy(error: embedclf.EmbedclfError):
    """With its message and its attributes."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
        assert isinstance(again, embedclf.EmbedclfError)
