"""The index of a cache of many segments: it opens at once, and says nothing that the segments do not."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cache_worker import SPEC, put_old, vectors_of
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache import segment_store
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.vector_cache import VectorCache

N_SEGMENTS = 70
NUMBERS = list(range(N_SEGMENTS * 3))


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    """One of many segments, which has been opened, so that it has an index."""
    cache = VectorCache(tmp_path / "cache")
    folder = cache.of_model(SPEC).folder.path
    folder.mkdir(parents=True, mode=0o700)
    for number in range(N_SEGMENTS):
        put_old(folder, NUMBERS[number * 3 : number * 3 + 3], 0)
    assert there(cache, NUMBERS) == NUMBERS
    assert index_of(cache).exists()
    return cache


def index_of(cache: VectorCache) -> Path:
    return cache.of_model(SPEC).folder.path / "keys.index"


def segments_of(cache: VectorCache) -> list[Path]:
    return sorted(cache.folder.glob("vectors/*/*.joblib"))


def there(cache: VectorCache, numbers: list[int]) -> list[int]:
    """Which are read by who opens the cache now; these are right."""
    found, vectors = cache.of_model(SPEC).read(hash_texts([f"text {number}" for number in numbers]))
    if vectors is not None:
        assert (vectors[found] == vectors_of(numbers)[found]).all()
    return [number for number, is_there in zip(numbers, found, strict=True) if is_there]


def test_segments_are_not_opened_one_by_one(cache: VectorCache, monkeypatch: pytest.MonkeyPatch):
    """Once there is an index, only what is asked for is opened, and the index is not written again."""
    written = index_of(cache).stat().st_mtime_ns
    for path in segments_of(cache)[1:]:
        path.chmod(0)
    opened: list[Path] = []
    part = cache.of_model(SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(segment_store, "read_segment", opened.append)
        found, vectors = part.read(hash_texts(["text 1", "text 9999"]))
    assert found.tolist() == [True, False]
    assert (vectors[0] == vectors_of([1])[0]).all()
    assert opened == []
    assert index_of(cache).stat().st_mtime_ns == written
    assert cache.info()[0].n_vectors == len(NUMBERS)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:10],
        lambda whole: whole[:2_000],
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda whole: whole[:-40] + bytes(40),
        lambda whole: b"\0" + whole[1:],
        lambda whole: whole[:3_000] + b"9" + whole[3_001:],
        lambda whole: np.random.default_rng(0).bytes(len(whole)),
    ],
    ids=["empty", "digest", "names", "last byte", "longer", "order", "first byte", "names changed", "noise"],
)
def test_a_damaged_index_is_none(cache: VectorCache, damage: Callable[[bytes], bytes]):
    """It is written anew, and what is read is right."""
    whole = index_of(cache).read_bytes()
    index_of(cache).write_bytes(damage(whole))
    assert there(cache, [*NUMBERS[::-1], 9_999]) == NUMBERS[::-1]
    assert index_of(cache).stat().st_size == len(whole)
    assert there(cache, NUMBERS) == NUMBERS


def test_what_is_planted_in_its_place(cache: VectorCache, tmp_path: Path):
    """A named pipe is not waited for, and what a link leads to is neither read nor written."""
    whole = index_of(cache).read_bytes()
    mine = tmp_path / "mine"
    mine.write_bytes(whole)
    for plant in (os.mkfifo, lambda path: path.symlink_to(mine), Path.mkdir):
        index_of(cache).unlink(missing_ok=True)
        plant(index_of(cache))
        mine.write_bytes(b"mine")
        assert there(cache, NUMBERS) == NUMBERS
        assert mine.read_bytes() == b"mine"


def test_a_segment_that_changed_is_not_believed(cache: VectorCache):
    """One that is cut is set aside, one that is gone is gone, one that was replaced is read anew."""
    cut, gone, replaced, *_ = segments_of(cache)
    os.truncate(cut, 600)
    gone.unlink()
    other = put_old(cache.of_model(SPEC).folder.path, [9_000, 9_001, 9_002], 0)
    other.replace(replaced)
    assert there(cache, [*NUMBERS, 9_001]) == [*NUMBERS[9:], 9_001]
    assert cut.with_name(cut.name + ".damaged").exists()


def test_what_is_written_after_it_is_found(cache: VectorCache):
    """By who has the cache open, and by who opens it; a few more do not make it be written again."""
    written = index_of(cache).stat().st_mtime_ns
    open_already = cache.of_model(SPEC)
    assert open_already.contains(hash_texts(["text 3", "text 5000"])).tolist() == [True, False]
    put_old(cache.of_model(SPEC).folder.path, [5_000, 5_001], 0)
    assert open_already.contains(hash_texts(["text 3", "text 5000"])).all()
    assert there(cache, [5_001, *NUMBERS, 5_000, 5_002]) == [5_001, *NUMBERS, 5_000]
    assert index_of(cache).stat().st_mtime_ns == written


def test_merging_pruning_and_clearing(cache: VectorCache):
    """None leaves an index that misleads."""
    part = cache.of_model(SPEC)
    part.write(hash_texts(["text 7000"]), vectors_of([7_000]), 1)  # merges
    assert len(segments_of(cache)) < N_SEGMENTS
    assert there(cache, [*NUMBERS, 7_000]) == [*NUMBERS, 7_000]
    cache.prune(max_bytes=20_000)
    left = there(cache, [*NUMBERS, 7_000])
    assert 0 < len(left) < 100
    assert not index_of(cache).exists()
    cache.clear()
    assert not index_of(cache).parent.exists()


def test_only_who_may_write_writes_it(cache: VectorCache):
    """Looking at what there is makes no file; and it has the folder's privacy."""
    index_of(cache).unlink()
    cache.info()
    assert not index_of(cache).exists()
    assert there(cache, NUMBERS) == NUMBERS
    assert stat.S_IMODE(index_of(cache).parent.stat().st_mode) == 0o700


def test_of_another_length(cache: VectorCache, tmp_path: Path):
    """What it says of vectors of another length than the model's is passed over."""
    other = VectorCache(tmp_path / "other").of_model(EmbedderSpec(SPEC.provider, SPEC.model, 24, SPEC.endpoint))
    other.folder.path.parent.mkdir(parents=True)
    cache.of_model(SPEC).folder.path.rename(other.folder.path)
    assert not other.read(hash_texts(["text 1"]))[0].any()
