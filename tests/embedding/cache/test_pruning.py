"""Pruning the cache: the least recently used vectors go, and only these."""

import os
import re
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from cache_worker import SPEC, put_old, vectors_of
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache import pruning
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli

SMALL_MODEL = "aimlapi:text-embedding-3-small"
DAY = 86_400


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    return VectorCache(tmp_path / "cache")


def part_of(cache: VectorCache) -> ModelCache:
    """The part of the worker's model, opened anew."""
    return cache.of_model(SPEC)


def write(cache: VectorCache, numbers: list[int]) -> None:
    part_of(cache).write(hash_texts([f"text {number}" for number in numbers]), vectors_of(numbers), len(numbers))


def read(cache: VectorCache, numbers: list[int]) -> list[int]:
    """Which are found; these are right."""
    found, vectors = part_of(cache).read(hash_texts([f"text {number}" for number in numbers]))
    if vectors is not None:
        assert (vectors[found] == vectors_of(numbers)[found]).all()
    return [number for number, there in zip(numbers, found, strict=True) if there]


def there(cache: VectorCache, numbers: list[int]) -> list[int]:
    """Which there are; asking is no use of them."""
    found = part_of(cache).contains(hash_texts([f"text {number}" for number in numbers]))
    return [number for number, is_there in zip(numbers, found, strict=True) if is_there]


def files(cache: VectorCache, ending: str = "") -> list[Path]:
    return sorted(path for path in cache.folder.glob("vectors/*/*") if path.name.endswith(ending))


def folder_of(cache: VectorCache) -> Path:
    """The worker's model's folder, with one vector of today in it."""
    write(cache, [0])
    return files(cache, ".joblib")[0].parent


class TestAge:
    """``older_than``."""

    def test_what_was_read_stays_and_what_was_not_goes(self, cache: VectorCache):
        """Vector by vector, also within one file; a new one counts as used when it was written."""
        put_old(folder_of(cache), list(range(100, 200)))
        assert read(cache, [110, 150, 151]) == [110, 150, 151]
        assert cache.to_prune(timedelta(days=90)).n_dropped == 97
        report = cache.prune(timedelta(days=90))
        assert (report.n_dropped, report.n_kept) == (97, 4)
        assert there(cache, list(range(200))) == [0, 110, 150, 151]
        assert read(cache, [0, 110, 150, 151]) == [0, 110, 150, 151]
        assert report.dropped[0].n_tokens == 97
        assert cache.info()[0].n_tokens == 4
        assert report.kept_bytes >= cache.info()[0].n_bytes
        assert cache.prune(timedelta(days=90)).to_dict() == {
            "dropped": [], "n_kept": 4, "kept_bytes": cache.info()[0].n_bytes, "n_dropped": 0
        }  # fmt: skip

    def test_merging_keeps_the_times(self, cache: VectorCache):
        """Old and new vectors in one file are still told apart, and of equal ones the later use counts."""
        folder = folder_of(cache)
        for number in range(100, 103):
            put_old(folder, [number, number + 100])
        read(cache, [101])
        write(cache, [202])  # there is an older one of it
        for number in range(1, 9):
            write(cache, [number])
        assert len(files(cache, ".joblib")) < 5
        assert there(cache, list(range(100, 103))) == [100, 101, 102]
        cache.prune(timedelta(days=90))
        assert there(cache, list(range(300))) == [*range(9), 101, 202]

    def test_pruned_again_after_months_without_use(self, cache: VectorCache):
        """A use that was noted 80 days ago keeps a vector for 90 days, and not for 70."""
        put_old(folder_of(cache), [100, 101, 102])
        read(cache, [101])
        (used,) = files(cache, ".used")
        times = np.fromfile(used, dtype="<u4")
        assert abs(int(times[1]) - time.time()) < 600
        assert (times[[0, 2]] == 0).all()
        times[1] -= 80 * DAY
        times.tofile(used)
        cache.prune(timedelta(days=90))
        assert there(cache, [100, 101, 102]) == [101]
        cache.prune(timedelta(days=70))
        assert there(cache, [0, 100, 101, 102]) == [0]

    def test_everything_may_go(self, cache: VectorCache):
        """Then no segment and no file of times is left, and writing goes on."""
        put_old(folder_of(cache), [100, 101])
        read(cache, [100])
        assert cache.prune(timedelta(0)).n_kept == 0
        assert [path.name for path in files(cache)] == [".merge.lock", "model.json"]
        write(cache, [5])
        assert read(cache, [0, 5, 100]) == [5]

    def test_what_is_used_while_it_is_pruned_stays(self, cache: VectorCache):
        """A use after the choice was made counts."""
        put_old(folder_of(cache), [100, 101])
        part = part_of(cache)
        chosen = [one for one in pruning.times_of(part.store) if len(one[0].keys) == 2]
        ((segment, _, used),) = chosen
        read(cache, [101])
        with pruning.removing_from(part.folder):
            pruning.drop_rows(part.store, segment, used, np.array([True, True]), 1)
        assert there(cache, [100, 101]) == [101]


class TestSize:
    """``max_bytes``."""

    def test_the_least_recently_used_over_all_models_go(self, cache: VectorCache):
        """Those of another model too, until the rest fits."""
        other = EmbedderSpec("aimlapi", "other", 48, "https://example.com/v1")
        write(cache, [0])
        first = files(cache, ".joblib")[0].parent
        cache.of_model(other).write(hash_texts(["text 0"]), vectors_of([0]), 1)
        (second,) = {path.parent for path in files(cache, ".joblib")} - {first}
        for days in range(40, 50):  # the older ones of the second model are older than all of the first
            put_old(first, list(range(days * 100, days * 100 + 20)), days)
            put_old(second, list(range(days * 100, days * 100 + 20)), days + 5)
        total = sum(one.n_bytes for one in cache.info())
        limit = total * 6 // 10
        report = cache.prune(max_bytes=limit)
        size = sum(path.stat().st_size for path in [*files(cache, ".joblib"), *files(cache, ".used")])
        assert limit * 0.8 < size <= limit
        assert sum(one.n_bytes for one in cache.info()) == size
        numbers = [days * 100 + number for days in range(40, 50) for number in range(20)]
        keys = hash_texts([f"text {number}" for number in numbers])
        kept_first = np.array(numbers)[cache.of_model(SPEC).contains(keys)] // 100
        kept_second = np.array(numbers)[cache.of_model(other).contains(keys)] // 100 + 5
        n_left = len(kept_first) + len(kept_second)
        assert 0 < n_left == 400 - report.n_dropped
        ages = sorted([*(np.array(numbers) // 100), *(np.array(numbers) // 100 + 5)])
        assert sorted([*kept_first, *kept_second]) == ages[:n_left]
        assert {one.model for one in report.dropped} == {"aimlapi:other", f"aimlapi:{SPEC.model}"}

    def test_what_fits_stays(self, cache: VectorCache):
        """To the byte; and nothing at all fits into none."""
        put_old(folder_of(cache), list(range(100, 200)))
        total = sum(path.stat().st_size for path in files(cache, ".joblib"))
        assert cache.prune(max_bytes=total).n_dropped == 0
        report = cache.prune(max_bytes=total - 1)
        assert 0 < report.n_dropped < 10
        assert sum(path.stat().st_size for path in [*files(cache, ".joblib"), *files(cache, ".used")]) < total
        assert cache.prune(max_bytes=0).n_kept == 0

    def test_limits_that_say_nothing(self, cache: VectorCache):
        """Neither of them, or a negative one, is an error and drops nothing."""
        write(cache, [1])
        for limits in ({}, {"older_than": timedelta(days=-1)}, {"max_bytes": -1}):
            with pytest.raises(embedclf.errors.ArgumentError, match="older_than"):
                cache.prune(**limits)
        assert there(cache, [1]) == [1]


class TestFiles:
    """What is beside the segments."""

    def test_reading_is_not_writing(self, cache: VectorCache):
        """A vector written or read within the hour is read without a byte written."""
        write(cache, [1, 2])
        read(cache, [1, 2])
        assert not files(cache, ".used")
        put_old(files(cache, ".joblib")[0].parent, [100, 101])
        part = part_of(cache)
        part.read(hash_texts(["text 100"]))
        (used,) = files(cache, ".used")
        os.utime(used, (0, 0))
        for one in (part, part_of(cache)):
            one.read(hash_texts(["text 100"]))
        assert used.stat().st_mtime == 0
        part.read(hash_texts(["text 101"]))
        assert used.stat().st_mtime > 0

    @pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 8, b"\0" * 8, b"\0" * 400], ids=len)
    def test_times_that_are_lost_or_damaged(self, cache: VectorCache, content: bytes):
        """They count as not noted; reading goes on, and notes them anew."""
        segment = put_old(folder_of(cache), [100, 101])
        used = segment.with_suffix(".used")
        used.write_bytes(content)
        assert cache.to_prune(timedelta(days=90)).n_dropped == 2
        assert read(cache, [100, 101]) == [100, 101]
        assert cache.to_prune(timedelta(days=90)).n_dropped == 0
        assert used.stat().st_size == 8

    def test_what_is_planted_in_the_place_of_times(self, cache: VectorCache, tmp_path: Path):
        """A named pipe is not waited for, a link is not followed, a folder does no harm."""
        folder = folder_of(cache)
        mine = tmp_path / "mine"
        mine.write_text("mine")
        for number, plant in enumerate((os.mkfifo, lambda path: path.symlink_to(mine), Path.mkdir)):
            plant(put_old(folder, [100 + number]).with_suffix(".used"))
        assert read(cache, [100, 101, 102]) == [100, 101, 102]
        assert mine.read_text() == "mine"
        assert cache.prune(timedelta(days=90)).n_dropped == 3

    def test_damaged_and_foreign_files_are_left_alone(self, cache: VectorCache):
        """Neither deleted, renamed nor counted."""
        folder = folder_of(cache)
        (folder / "notes.txt").write_text("mine")
        (folder / "cut.joblib").write_bytes(b"\x80")
        (folder / "old.joblib.damaged").write_bytes(b"\x80")
        before = {path.name for path in folder.iterdir()}
        report = cache.prune(timedelta(0))
        assert report.n_dropped == 1
        gone = before - {path.name for path in folder.iterdir()}
        assert len(gone) == 1
        assert gone.pop().endswith(".joblib")

    def test_what_killed_processes_leave_is_swept(self, cache: VectorCache):
        """Files half written an hour ago, and times of no segment; one that is being written now stays."""
        folder = folder_of(cache)
        old, new, foreign = folder / ".0123456789abcdef.part", folder / ".fedcba9876543210.part", folder / "mine.part"
        for path in (old, new, foreign, folder / "gone.used"):
            path.touch()
        for path in (old, foreign):
            os.utime(path, (0, 0))
        cache.prune(timedelta(days=90))
        assert not old.exists()
        assert not (folder / "gone.used").exists()
        assert new.exists()
        assert foreign.exists()
        VectorCache(cache.folder).clear()
        assert not files(cache)

    def test_a_vector_that_was_mended_is_not_lost(self, cache: VectorCache):
        """Where the damaged one of before is in a file that is written anew, the mended one is still served."""
        folder = folder_of(cache)
        path = put_old(folder, [100, 101, 102])
        content = bytearray(path.read_bytes())
        place = content.index(vectors_of([101]).tobytes())
        content[place : place + 48 * 4] = bytes(48 * 4)
        path.write_bytes(content)
        os.utime(path, (time.time() - 100 * DAY,) * 2)
        assert read(cache, [100, 101]) == [100]
        write(cache, [101])
        cache.prune(timedelta(days=90))
        assert read(cache, [100, 101, 102]) == [100, 101]


class TestCommand:
    """``embedclf cache prune``."""

    def test_it_says_what_goes_and_asks(self, cli: Cli, api: AimlapiServer, process):
        """And what it would cost again; a no drops nothing."""
        cache = VectorCache()
        embedder = embedclf.open_embedder(SMALL_MODEL, cache=cache)
        embedder.embed([f"an old text, number {number:02}" for number in range(30)])
        (segment,) = files(cache, ".joblib")
        os.utime(segment, (time.time() - 100 * DAY,) * 2)
        embedclf.open_embedder(SMALL_MODEL, cache=cache).embed(["an old text, number 07", "a new text"])
        name = f"{SMALL_MODEL} at {api.base_url}"
        asked = process("cache", "prune", "--older-than", "90d", stdin="n\n")
        assert asked.returncode == 1
        assert asked.stderr.startswith(
            f"{name}: 29 vectors, 0.2 MB, 174 tokens to embed again, less than $0.0001\n"
            f"Delete 29 vectors from {cache.folder}, and keep 2 vectors, 13.3 kB? [y/N]:"
        )
        assert cache.info()[0].n_vectors == 31
        done = cli("cache", "prune", "--older-than", "2160 h", "--yes")
        assert done.stdout == f"Deleted 29 vectors from {cache.folder}, kept 2 vectors, 13.3 kB\n"
        assert cli("cache", "prune", "--older-than", "12w", "--max-size", "1GiB").stdout == (
            f"{cache.folder}: nothing to delete; 2 vectors, 13.3 kB\n"
        )
        assert cli("cache", "prune", "--max-size", "8kB", "--yes").stdout.startswith("Deleted 1 vector from ")
        embedclf.open_embedder(SMALL_MODEL, cache=cache).embed(["an old text, number 07", "a new text"])
        assert len(api.texts_sent) == 32

    @pytest.mark.parametrize(
        ("args", "complaint"),
        [
            ([], "Missing --older-than TIME or --max-size SIZE (such as 90d and 2GB; both may be given)."),
            (["--older-than", "90"], "'90' is not a number with a unit (s, m, h, d or w), such as 90d."),
            (["--older-than", "-1d"], "'-1d' is not a number with a unit"),
            (["--older-than", "3M"], "'3M' is not a number with a unit (s, m, h, d or w), such as 90d."),
            (["--older-than", "1y"], "'1y' is not a number with a unit"),
            (["--older-than", "99999999999999999w"], "no vector is that old."),
            (["--max-size", "2"], "(B, kB, MB, GB, TB, kiB, MiB, GiB or TiB), such as 2GB."),
            (["--max-size", "nanGB"], "'nanGB' is not a number with a unit"),
        ],
    )
    def test_limits_that_are_none(self, cli: Cli, args: list[str], complaint: str):
        """Each is a usage error that says what to write."""
        result = cli("cache", "prune", *args)
        assert result.exit_code == 2
        assert complaint in re.sub(r"\s+", " ", result.stderr)

    def test_the_help_names_the_units(self, cli: Cli):
        """Of both limits."""
        shown = re.sub(r"\s+", " ", cli("cache", "prune", "--help").stdout)
        assert "for this long: 90d (s, m, h, d or w)." in shown
        assert "no larger than this: 2GB (B, kB, MB, GB, TB, kiB, MiB, GiB or TiB)." in shown

    def test_an_empty_cache(self, cli: Cli, tmp_path: Path):
        """There is nothing to delete, and nothing is made."""
        folder = tmp_path / "none"
        done = cli("cache", "prune", "--max-size", "0B", "--cache-dir", folder)
        assert done.stdout == f"{folder}: nothing to delete; 0 vectors, 0.0 kB\n"
        assert not folder.exists()
