"""A short run of the fuzzer of answers; `tests/fuzzing/api_answers.py` makes a long one."""

import pytest

from fuzzing.api_answers import main


@pytest.mark.slow
@pytest.mark.exhaustive
def test_broken_answers_break_nothing():
    """Each brings its vectors, or an error of embedclf's own in one line."""
    done = main(400, 0)
    assert done.lost == []
    assert done.tried == done.survived == 400
    # Else the cases would be of one kind only.
    assert {"vectors", "AnswerError", "EmbedderError"} <= set(done.ends)
