"""A short run of the fuzzer of requests; `tests/fuzzing/http_heads.py` makes a long one."""

from pathlib import Path

import pytest

from fuzzing.http_heads import main


@pytest.mark.slow
@pytest.mark.exhaustive
def test_broken_requests_break_nothing(model: Path):
    """The service lives, answers others soon, and takes no memory for them."""
    done = main(300, 0, model)
    assert done.lost == []
    assert done.tried == done.survived == 300
    # Else the cases would be of one kind only.
    assert {"200", "400", "421", "431"} <= set(done.statuses)
