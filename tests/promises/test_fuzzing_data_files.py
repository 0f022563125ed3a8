"""A short run of the fuzzer of data files."""

import pytest

from fuzzing import data_files


@pytest.mark.slow
@pytest.mark.exhaustive
def test_no_file_breaks_a_command():
    """Whatever stands in it; a long run by hand tries more."""
    pytest.importorskip("pyarrow", reason="needs embedclf[parquet]")
    assert data_files.main(200) == []
