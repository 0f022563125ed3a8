"""Segments: the files of the cache, byte for byte."""

import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from cache_worker import SPEC, vectors_of
from corpus import SUPPORT
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.cache.segment_layout import NewerFormatError, SegmentError
from embedclf.embedding.cache.segments import Segment, read_segment, write_segment
from embedclf.embedding.cache.vector_cache import VectorCache
from running import run_beside

OLD = SUPPORT / "written_by_0_1_0"
# Numbers that a pickle writes in one byte, two, four, and more.
NUMBERS = [0, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 10**15]


def keys_of(n: int) -> np.ndarray:
    return hash_texts([f"text {number}" for number in range(n)])


def random_vectors(n: int, n_columns: int) -> np.ndarray:
    vectors = np.random.default_rng(n).normal(size=(n, n_columns)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def written(n: int, n_columns: int, n_tokens: int) -> bytes:
    file = io.BytesIO()
    write_segment(file, keys_of(n), random_vectors(n, n_columns), n_tokens)
    return file.getvalue()


def all_rows(segment: Segment) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.empty((segment.n_rows, segment.n_columns), dtype=np.float32)
    rows = np.arange(segment.n_rows)
    return vectors, segment.copy_rows(rows, vectors, rows)


@pytest.mark.parametrize("n_tokens", NUMBERS)
@pytest.mark.parametrize(("n", "n_columns"), [(1, 1), (3, 48), (255, 256), (256, 257), (300, 1_536), (66_000, 4)])
def test_it_is_what_joblib_writes(tmp_path: Path, n: int, n_columns: int, n_tokens: int):
    """The same bytes as joblib.dump of the same arrays, which joblib.load reads.

    Should this fail under a new joblib: what stands in a segment is said by `embedclf.embedding.cache.segment_layout`
    alone, so nothing is lost, but joblib no longer writes it, and perhaps no longer reads it.
    """
    path = tmp_path / "segment.joblib"
    path.write_bytes(written(n, n_columns, n_tokens))
    content = joblib.load(path)
    assert list(content) == ["embedclf", "keys", "checksums", "vectors", "tokens"]
    assert (content["embedclf"], content["tokens"]) == (2, n_tokens)
    assert (content["vectors"] == random_vectors(n, n_columns)).all()
    dumped = io.BytesIO()
    joblib.dump(content, dumped, protocol=4)
    assert dumped.getvalue() == path.read_bytes()
    segment = read_segment(path)
    assert (segment.n_rows, segment.n_columns, segment.n_tokens) == (n, n_columns, n_tokens)
    assert (segment.keys == keys_of(n)).all()
    vectors, intact = all_rows(segment)
    assert intact.all()
    assert (vectors == random_vectors(n, n_columns)).all()


@pytest.mark.parametrize("protocol", [4, 5])
def test_one_without_checksums_is_read(tmp_path: Path, protocol: int):
    """Of format 1, as joblib wrote it under any version of Python."""
    content = {"embedclf": 1, "keys": keys_of(300).view("<u8").reshape(-1, 2), "vectors": random_vectors(300, 64)}
    joblib.dump({**content, "tokens": 70_000}, tmp_path / "old.joblib", protocol=protocol)
    segment = read_segment(tmp_path / "old.joblib")
    assert (segment.n_rows, segment.n_columns, segment.n_tokens) == (300, 64, 70_000)
    vectors, intact = all_rows(segment)
    assert intact.all()
    assert (vectors == content["vectors"]).all()


def test_one_of_version_0_1_0_is_read_and_gets_checksums_when_it_is_rewritten(tmp_path: Path):
    """By merging, for one."""
    part = VectorCache(tmp_path).of_model(SPEC)
    part.write(keys_of(6)[5:], vectors_of([5]), 1)
    (folder,) = tmp_path.glob("vectors/*")
    shutil.copy(OLD / "segment.joblib", folder / "0.joblib")
    assert [one.format for one in segments_of(part)] == [1, 2]
    assert_served(part, 6)
    for number in (6, 7):
        part.write(keys_of(number + 1)[number:], vectors_of([number]), 1)
    assert {one.format for one in segments_of(part)} == {2}
    assert_served(part, 8)
    assert part.info().n_tokens == 17 + 3


def segments_of(part: ModelCache) -> list[Segment]:
    part.contains(keys_of(1))
    return sorted(part.store.segments, key=lambda segment: segment.path.name)


def assert_served(part: ModelCache, n: int) -> None:
    found, vectors = part.read(keys_of(n))
    assert found.all()
    assert (vectors == vectors_of(list(range(n)))).all()


@pytest.mark.parametrize("n_read", [None, 1, 256, 257, 300, 1_024, 1_025])
def test_one_flipped_bit_is_found_wherever_it_is_read(tmp_path: Path, n_read: int | None):
    """The last bit of a number in any column that is read; to read 256 columns, no other column need be intact."""
    spec, vectors = replace(SPEC, dimensions=1_100), random_vectors(3, 1_100)
    VectorCache(tmp_path).of_model(spec).write(keys_of(3), vectors, 3)
    (path,) = tmp_path.glob("vectors/*/*.joblib")
    whole = path.read_bytes()
    start = whole.index(vectors[1].tobytes())
    for column in (0, 255, 256, 299, 1_023, 1_024, 1_099):
        data = bytearray(whole)
        data[start + 4 * column] ^= 1
        path.write_bytes(data)
        found, read = VectorCache(tmp_path).of_model(spec).read(keys_of(3), n_read)
        assert (read[found] == vectors[found, :n_read]).all()
        assert found[[0, 2]].all()
        assert not (found[1] and column < (n_read or 1_100))
        assert n_read != 256 or found[1] == (column >= 256)


def test_rows_in_each_others_place_are_found(tmp_path: Path):
    """Each vector's checksum is tied to its text."""
    part = VectorCache(tmp_path).of_model(SPEC)
    part.write(keys_of(3), vectors_of([0, 1, 2]), 3)
    (path,) = tmp_path.glob("vectors/*/*.joblib")
    whole = path.read_bytes()
    first, second = vectors_of([0]).tobytes(), vectors_of([2]).tobytes()
    path.write_bytes(whole.replace(first, b"?" * len(first)).replace(second, first).replace(b"?" * len(first), second))
    assert VectorCache(tmp_path).of_model(SPEC).read(keys_of(3))[0].tolist() == [False, True, False]


def test_every_byte_around_the_arrays_counts(tmp_path: Path):
    """A file in which one is another is refused; only the number of tokens may be any number."""
    whole = written(2, 3, 7)
    content = joblib.load(io.BytesIO(whole))
    around = set(range(len(whole)))
    for name in ("keys", "checksums", "vectors"):
        start = whole.index(content[name].tobytes())
        around -= set(range(start, start + content[name].nbytes))
    around.remove(whole.index(b"K\x07u.") + 1)
    assert len(around) > 300
    for place in around:
        data = bytearray(whole)
        data[place] ^= 0x10
        (tmp_path / "x.joblib").write_bytes(data)
        with pytest.raises((SegmentError, NewerFormatError)):
            read_segment(tmp_path / "x.joblib")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04\x96\x00\x00\x00\x00\x02\x00\x00\x00.",
        b"\x80\x04" + b"(" * 100_000,
        written(2, 3, 7)[:-1],
        written(2, 3, 7) + b"\0",
        written(2, 3, 7).replace(b"\x8c\x02u8", b"\x8c\x02O8"),
        written(2, 3, 7).replace(b"\x8c\x02f4", b"\x8c\x02O8"),
        written(2, 3, 7).replace(b"K\x02K\x03", b"K\x03K\x02"),
        written(256, 3, 7).replace(b"M\x00\x01", b"M\x00\x00"),
        written(70_000, 3, 7).replace(b"Jp\x11\x01\x00", b"J\xff\xff\xff\xff"),
        written(70_000, 3, 7).replace(b"Jp\x11\x01\x00", b"J\xff\xff\xff\x7f"),
    ],
    ids=["empty", "8 GB", "marks", "cut", "longer", "objects", "objects 2", "shapes", "no rows", "fewer", "more"],
)
def test_what_is_not_written_by_us_is_refused(tmp_path: Path, data: bytes):
    """Before anything of it is followed."""
    (tmp_path / "x.joblib").write_bytes(data)
    with pytest.raises(SegmentError):
        read_segment(tmp_path / "x.joblib")


def test_a_dtype_that_hides_its_objects_does_not_crash(tmp_path: Path):
    """Its bytes would be taken for pointers, at which the interpreter crashes."""
    part = VectorCache(tmp_path).of_model(SPEC)
    part.write(keys_of(1), vectors_of([0]), 1)
    planted = io.BytesIO()
    joblib.dump({"embedclf": np.full((1, 2), 0x4141414141414141, dtype="<u8")}, planted)
    data = planted.getvalue().replace(b"\x8c\x02u8", b"\x8c\x02O8").replace(b"\x8c\x01<", b"\x8c\x01|")
    (next(tmp_path.glob("vectors/*")) / "0.joblib").write_bytes(data)
    code = (
        "from test_segments import *\n"
        f"assert_served(VectorCache({str(tmp_path)!r}).of_model(SPEC), 1)\n"
        f"assert VectorCache({str(tmp_path)!r}).info()[0].n_vectors == 1\n"
    )
    run_beside(__file__, code)
    assert [path.name for path in tmp_path.glob("vectors/*/0*")] == ["0.joblib.damaged"]


def test_a_later_format_is_left_where_it_is(tmp_path: Path, caplog):
    """A later version can still read it."""
    part = VectorCache(tmp_path).of_model(SPEC)
    part.write(keys_of(1), vectors_of([0]), 1)
    (path,) = tmp_path.glob("vectors/*/*.joblib")
    later = path.with_name("later.joblib")
    later.write_bytes(path.read_bytes().replace(b"embedclf\x94K\x02", b"embedclf\x94K\x03"))
    assert_served(part, 1)
    assert later.exists()
    assert "later.joblib cannot be used (it has format 3, written by a later version): ignored" in caplog.text


def test_what_is_no_regular_file_is_neither_opened_nor_waited_for(tmp_path: Path):
    """Named pipes, links and folders."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="it is not a regular file"):
            read_segment(tmp_path / name)
    with pytest.raises(OSError, match="it is a symbolic link, and links are not followed here"):
        read_segment(tmp_path / "link")
