"""A short run of the fuzzers of what is on disk; ``python -m fuzzing.cache_files N`` in tests/ makes a long one."""

import pytest

from fuzzing import cache_files, model_files


@pytest.mark.slow
@pytest.mark.exhaustive
def test_no_file_in_a_cache_crashes_hangs_or_misleads():
    """Damaged and planted segments, and what stands beside them, cost no more than being embedded again."""
    outcomes = cache_files.main(600, seed=1)
    assert outcomes == {"programs": 450, "caches": 120, "notes": 30}


@pytest.mark.exhaustive
def test_no_damaged_model_file_answers_otherwise():
    """It loads as it was saved, or is refused."""
    outcomes = model_files.main(500, seed=1)
    assert outcomes.total() == 500
    assert not outcomes["lost"]
