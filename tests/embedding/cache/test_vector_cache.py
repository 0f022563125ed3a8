"""The cache: nothing acknowledged is lost, nothing wrong is served, and nothing planted runs."""

import logging
import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from select import select

import joblib
import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from cache_worker import SPEC, TEXTS, vectors_of
from corpus import QUICKLY, SUPPORT, write_csv
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.cache.vector_cache import VectorCache
from running import PATIENCE, Cli, run_beside, wait_until

SMALL_MODEL = "aimlapi:text-embedding-3-small"


@pytest.fixture
def part(tmp_path: Path) -> ModelCache:
    """An empty part of a cache."""
    return VectorCache(tmp_path / "cache").of_model(SPEC)


def stored(texts: list[str]) -> np.ndarray:
    """Keys as they are in a file."""
    return hash_texts(texts).view("<u8").reshape(-1, 2)


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "vectors").glob("*/*.joblib"))


def fill(part: ModelCache, numbers: list[int], size: int = 100) -> None:
    for start in range(0, len(numbers), size):
        some = numbers[start : start + size]
        part.write(hash_texts([TEXTS[number] for number in some]), vectors_of(some), len(some))


def check(part: ModelCache, numbers: list[int]) -> np.ndarray:
    """Whatever is found is right; gives what was found."""
    found, vectors = part.read(hash_texts([TEXTS[number] for number in numbers]))
    if vectors is not None:
        assert (vectors[found] == vectors_of(numbers)[found]).all()
    return found


class TestPaidOnce:
    """What is sent, and what is not."""

    def test_training_twice_sends_nothing_and_a_new_row_sends_one(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """Also when the rows come in another order."""
        assert cli("train", dataset, *QUICKLY).exit_code == 0
        assert len(api.texts_sent) == 30
        cli("train", dataset, *QUICKLY)
        assert len(api.texts_sent) == 30
        lines = dataset.read_text().splitlines()
        dataset.write_text("\n".join([lines[0], "one more text,refund", *reversed(lines[1:])]) + "\n")
        cli("train", dataset, *QUICKLY)
        assert api.texts_sent[30:] == ["one more text"]

    def test_a_sweep_over_dimensions_sends_each_text_once(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """In any order; each gives the vectors of its length."""
        for dimensions in (512, 256, 1536, 1024):
            cli("train", dataset, *QUICKLY, "--dimensions", dimensions, "-o", f"{dimensions}.safetensors")
            assert embedclf.load(f"{dimensions}.safetensors").model.weights.shape == (3, dimensions)
        assert len(api.texts_sent) == 30

    def test_cached_and_fresh_vectors_are_the_same(self, api: AimlapiServer):
        """To the bit, at full length and shortened."""
        for dimensions in (None, 100):
            embedder = embedclf.open_embedder(SMALL_MODEL, dimensions=dimensions, cache=True)
            texts = [f"{dimensions} text {number}" for number in range(20)]
            fresh = embedder.embed(texts)
            assert (embedder.embed(texts) == fresh).all()
            half = embedclf.open_embedder(SMALL_MODEL, dimensions=dimensions, cache=True)
            assert (half.embed([*texts[10:], "new", *texts[:10]])[[*range(11, 21), *range(10)]] == fresh).all()

    def test_no_cache_reads_and_keeps_nothing(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """Each run pays."""
        cli("train", dataset, *QUICKLY, "--no-cache")
        cli("train", dataset, *QUICKLY, "--no-cache")
        assert len(api.texts_sent) == 60
        assert cli("cache", "info").stdout.endswith("The cache is empty.\n")
        assert cli("train", dataset, *QUICKLY, "--no-cache", "--cache-dir", "x").exit_code == 2

    def test_a_service_keeps_nothing_unless_told(self, api: AimlapiServer, tmp_path: Path, monkeypatch):
        """embedclf.load neither reads nor writes the cache by default; embedclf.train does both."""
        monkeypatch.setenv("EMBEDCLF_CACHE_DIR", str(tmp_path / "cache"))
        embedclf.train(["a b", "a c", "d e", "d f"], ["x", "x", "y", "y"]).save("m.safetensors")
        assert len(segments(tmp_path)) == 1
        for cache, sent in ((False, 2), (False, 4), (True, 5), (True, 5)):
            embedclf.load("m.safetensors", cache=cache).predict(["a b", "new"])
            assert len(api.texts_sent) == 4 + sent
        assert len(segments(tmp_path)) == 2

    def test_models_and_servers_are_kept_apart(self, api: AimlapiServer):
        """Another model or endpoint never gets the vectors of the first."""
        with AimlapiServer() as other:
            for name, server in ((SMALL_MODEL, api), (SMALL_MODEL, other), ("aimlapi:text-embedding-ada-002", api)):
                embedclf.open_embedder(name, base_url=server.base_url, cache=True).embed(["a text"])
            assert (api.n_requests, other.n_requests) == (2, 1)

    def test_wordllama_is_not_cached(self, cli: Cli, dataset: Path):
        """It is faster than a disk."""
        cli("train", dataset, *QUICKLY)
        assert cli("cache", "info").stdout.endswith("The cache is empty.\n")


class TestCommands:
    """``embedclf cache``."""

    def test_info_and_clear(self, cli: Cli, api: AimlapiServer, dataset: Path, process):
        """They say what there is, and what it would cost again, before it is gone."""
        folder = os.environ["EMBEDCLF_CACHE_DIR"]
        cli("train", dataset, *QUICKLY)
        name = f"{SMALL_MODEL} at {api.base_url}"
        cli("evaluate", dataset)
        tokens = sum(aimlapi_tokens(text) for text in api.texts_sent)
        lines = cli("cache", "info").stdout.splitlines()
        space = " " * (len(name) - len("model"))
        assert lines == [
            folder,
            f"model{space}  vectors    size  segments  requests  tokens              spent              saved",
            f"{name}       30  0.2 MB         1         1     {tokens}  $0.000005 charged  less than $0.0001",
        ]
        asked = process("cache", "clear", stdin="n\n")
        assert asked.returncode == 1
        assert asked.stderr.startswith(
            f"{name}: 30 vectors, 0.2 MB, {tokens} tokens to embed again, less than $0.0001\n"
            f"Delete all 30 vectors in {folder}? [y/N]:"
        )
        assert cli("cache", "clear", "--yes").stdout == f"Deleted 30 vectors from {folder}\n"
        emptied = cli("cache", "info").stdout.splitlines()[2]
        assert emptied == lines[2].replace("30  0.2 MB         1", " 0  0.0 kB         0", 1)
        assert cli("cache", "clear").stdout == f"{folder} is empty.\n"

    def test_clear_leaves_what_is_not_ours(self, part: ModelCache, tmp_path: Path):
        """A file that someone put there stays."""
        fill(part, [1, 2, 3])
        mine = segments(tmp_path)[0].parent / "notes.txt"
        mine.write_text("mine")
        VectorCache(tmp_path / "cache").clear()
        assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]

    def test_where_it_is(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Cli):
        """--cache-dir, else EMBEDCLF_CACHE_DIR, else the platform's folder for caches."""
        assert cli("cache", "info", "--cache-dir", "here").stdout.startswith("here\n")
        assert cli("cache", "info").stdout.startswith(os.environ["EMBEDCLF_CACHE_DIR"])
        monkeypatch.delenv("EMBEDCLF_CACHE_DIR")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        if sys.platform == "linux":
            assert cli("cache", "info").stdout.startswith(f"{tmp_path}/embedclf\n")


def aimlapi_tokens(text: str) -> int:
    return -(-len(text.encode()) // 4)


class TestSegments:
    """The files."""

    def test_what_was_written_is_read_back(self, part: ModelCache):
        """In any order, by this object and a new one; what was not written is not found."""
        fill(part, list(range(500)))
        order = list(range(600))
        random.Random(0).shuffle(order)
        for one in (part, pickle.loads(pickle.dumps(part))):
            assert (check(one, order) == (np.array(order) < 500)).all()

    @pytest.mark.slow
    def test_small_segments_are_merged(self, part: ModelCache, tmp_path: Path):
        """A thousand single vectors end in a handful of files, in the space of their bytes, none lost."""
        fill(part, list(range(1_000)), size=1)
        assert len(segments(tmp_path)) <= 12
        assert sum(path.stat().st_size for path in segments(tmp_path)) < 1_000 * (48 * 4 + 16) + 12 * 2_000
        assert check(part, list(range(1_000))).all()
        assert part.info().n_tokens == 1_000

    def test_only_the_owner_may_look_in(self, part: ModelCache, tmp_path: Path):
        """The folders are made 0700."""
        fill(part, [1])
        for folder in (tmp_path / "cache", segments(tmp_path)[0].parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_a_folder_that_others_can_write_gets_a_warning(self, part: ModelCache, tmp_path: Path, caplog):
        """Once."""
        fill(part, [1])
        segments(tmp_path)[0].parent.chmod(0o777)
        fill(part, [2, 3], size=1)
        assert [record.getMessage()[:35] for record in caplog.records] == [
            "cache: other users can write to " + str(tmp_path)[:3]
        ]

    def test_cut_at_every_kind_of_place(self, part: ModelCache, tmp_path: Path, caplog):
        """A damaged file is set aside with one warning, its texts are missing, and the others are there."""
        fill(part, list(range(200)))
        first, second = segments(tmp_path)
        whole = first.read_bytes()
        numbers = list(range(200))
        was_there = check(VectorCache(tmp_path / "cache").of_model(SPEC), numbers)
        assert was_there.all()
        kept = None
        for size in [0, 1, 5, 50, 150, 400, 1_000, 2_000, len(whole) // 2, len(whole) - 100, len(whole) - 1]:
            caplog.clear()
            first.write_bytes(whole[:size])
            fresh = VectorCache(tmp_path / "cache").of_model(SPEC)
            found = check(fresh, numbers)
            assert found.sum() == 100
            kept = found if kept is None else kept
            assert (found == kept).all()
            assert [record.levelname for record in caplog.records] == ["WARNING"]
            assert "renamed to" in caplog.text
            assert not first.exists()
            first.with_name(first.name + ".damaged").unlink()
        assert second.exists()

    def test_cut_while_it_is_open(self, part: ModelCache, tmp_path: Path):
        """An index that was read before the damage does not serve what is no longer there."""
        fill(part, list(range(200)))
        assert check(part, list(range(200))).all()
        path = segments(tmp_path)[0]
        os.truncate(path, 3_000)
        assert check(part, list(range(200))).sum() == 100

    @pytest.mark.parametrize(
        "content",
        [
            {"keys": 1},
            [1, 2, 3],
            {"embedclf": 1, "keys": stored(["a"]), "vectors": np.ones((1, 49), np.float32), "tokens": 1},
            {"embedclf": 1, "keys": stored(["a"]), "vectors": np.ones((2, 48), np.float32), "tokens": 1},
            {"embedclf": 1, "keys": stored(["a"]), "vectors": np.ones((1, 48)), "tokens": 1},
            {"embedclf": 1, "keys": stored(["a"]), "vectors": np.ones((1, 48), ">f4"), "tokens": 1},
            {"embedclf": 1, "keys": np.zeros(1), "vectors": np.ones((1, 48), np.float32), "tokens": 1},
            {"embedclf": 1, "keys": stored(["a"]), "vectors": [[1.0] * 48], "tokens": 1},
            {
                "embedclf": 1,
                "keys": stored(["a", "b"]),
                "vectors": np.asfortranarray(np.ones((2, 48), np.float32)),
                "tokens": 1,
            },
            {"embedclf": 2, "keys": stored(["a"]), "vectors": np.ones((1, 48), np.float32), "tokens": 1},
        ],
        ids=["dict", "list", "dimension", "lengths", "float64", "big-endian", "keys", "no array", "columns", "format"],
    )
    def test_what_is_not_ours_is_not_served(self, part: ModelCache, tmp_path: Path, caplog, content: object):
        """A joblib file of another shape, dimension or format is set aside."""
        fill(part, [1])
        joblib.dump(content, segments(tmp_path)[0].parent / "foreign.joblib")
        found, vectors = part.read(hash_texts(["a", TEXTS[1]]))
        assert found.tolist() == [False, True]
        assert (vectors[1] == vectors_of([1])[0]).all()
        assert "foreign.joblib cannot be used (" in caplog.text

    def test_foreign_files_between_are_left_alone(self, part: ModelCache, tmp_path: Path, caplog):
        """Whatever does not end in .joblib is nobody's business."""
        fill(part, [1])
        folder = segments(tmp_path)[0].parent
        (folder / "notes.txt").write_text("x")
        (folder / ".hidden").mkdir()
        (folder / "half.part").write_bytes(b"\x80")
        assert check(part, [1]).all()
        assert (folder / "notes.txt").exists()

    def test_what_is_no_plain_file_is_passed_over(self, part: ModelCache, tmp_path: Path):
        """A link, a named pipe and a folder are neither read nor waited for."""
        fill(part, [1])
        folder = segments(tmp_path)[0].parent
        (folder / "link.joblib").symlink_to("nowhere")
        (folder / "folder.joblib").mkdir()
        os.mkfifo(folder / "pipe.joblib")
        assert check(part, [1]).all()
        VectorCache(tmp_path / "cache").clear()
        assert (folder / "folder.joblib").is_dir()

    def test_vectors_that_were_damaged_in_place_are_not_served(self, part: ModelCache, tmp_path: Path):
        """Zeroed blocks and NaN in a file of the right length: their texts are embedded again."""
        fill(part, list(range(100)))
        path = segments(tmp_path)[0]
        content = bytearray(path.read_bytes())
        for number, damage in ((10, bytes(48 * 4)), (20, np.full(48, np.nan, np.float32).tobytes())):
            place = content.index(vectors_of([number]).tobytes())
            content[place : place + 48 * 4] = damage
        path.write_bytes(content)
        assert np.flatnonzero(~check(part, list(range(100)))).tolist() == [10, 20]
        fill(part, [10, 20])
        assert check(part, list(range(100))).all()
        fill(part, list(range(100, 120)), size=1)  # merges the damaged ones and their successors
        assert len(segments(tmp_path)) < 10
        assert check(VectorCache(tmp_path / "cache").of_model(SPEC), list(range(120))).all()

    def test_a_folder_that_cannot_be_listed_for_the_moment_is_not_empty(self, part: ModelCache):
        """What is known of it stays known, and it is listed again the next time."""
        fill(part, [1])
        assert check(part, [1]).all()
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        keys = hash_texts([TEXTS[1]])
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            part.read(keys)  # with no file descriptor left it may find nothing, but it ends
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert check(part, [1]).all()

    def test_a_server_whose_vectors_change_their_length_is_an_error(self, api: AimlapiServer):
        """Before anything of it is kept."""
        api.models = {**api.models, "strange": 64}
        embedclf.open_embedder("aimlapi:strange", cache=True).embed(["a", "b"])
        api.models = {**api.models, "strange": 32}
        for _ in range(2):
            with pytest.raises(
                embedclf.EmbedderError, match="returned vectors of 32 dimensions, but earlier ones had 64"
            ):
                embedclf.open_embedder("aimlapi:strange", cache=True).embed(["a", "c"])
        embedclf.open_embedder("aimlapi:strange", cache=True).embed(["a", "b"])
        assert api.texts_sent == ["a", "b", "c", "c"]

    def test_a_model_of_unknown_dimension_is_not_taken_over(self, tmp_path: Path):
        """The first vectors of such a model say its length; a planted file that sorts before them does not."""
        spec = EmbedderSpec("aimlapi", "strange", None, "https://example.com/v1")
        cache = VectorCache(tmp_path / "cache")
        cache.of_model(spec).write(hash_texts(["a"]), vectors_of([1]), 1)
        folder = segments(tmp_path)[0].parent
        content = {"embedclf": 1, "keys": stored(["a"]), "vectors": np.ones((1, 5), np.float32), "tokens": 1}
        joblib.dump(content, folder / "0.joblib")
        before = sorted(folder.iterdir())
        assert cache.info()[0].n_segments == 1
        assert cache.of_model(spec).read(hash_texts(["a"]))[1].shape == (1, 48)
        assert sorted(folder.iterdir()) == before  # what does not fit is left where it is

    def test_planted_code_does_not_run(self, part: ModelCache, tmp_path: Path, caplog):
        """Neither a pickle, nor an array of objects, nor a pickle behind an array."""
        fill(part, [1])
        folder = segments(tmp_path)[0].parent

        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {tmp_path}/it_ran",)

        evil = {
            "plain": Evil(),
            "value": {"embedclf": 1, "keys": Evil(), "vectors": Evil(), "tokens": Evil()},
            "objects": np.array([Evil(), None], dtype=object),
            "mixed": {"embedclf": 1, "keys": stored(["a"]), "vectors": np.array([[Evil()]], dtype=object)},
            "structured": np.zeros(2, dtype=[("a", object)]),
            "after": [np.ones((1, 48), np.float32), Evil()],
        }
        for name, content in evil.items():
            joblib.dump(content, folder / f"{name}.joblib")
            (folder / f"{name}.raw.joblib").write_bytes(pickle.dumps(content))
        joblib.dump(Evil(), folder / "compressed.joblib", compress=3)
        assert check(part, [1]).all()
        assert not (tmp_path / "it_ran").exists()
        assert len(segments(tmp_path)) == 1
        # that the planted files would have run, had joblib read them
        joblib.load(folder / "plain.joblib.damaged")
        assert (tmp_path / "it_ran").exists()

    @pytest.mark.slow
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="limits itself with ulimit")
    def test_a_thousand_segments_with_few_file_descriptors(self, part: ModelCache, tmp_path: Path):
        """With ulimit -n 256: no mapping stays open."""
        fill(part, [0])
        folder = segments(tmp_path)[0].parent
        for number in range(1, 1_000):
            keys, vectors = stored([TEXTS[number]]), vectors_of([number])
            joblib.dump({"embedclf": 1, "keys": keys, "vectors": vectors, "tokens": 1}, folder / f"{number}.joblib")
        code = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
            "from test_vector_cache import *\n"
            f"part = VectorCache({str(tmp_path / 'cache')!r}).of_model(SPEC)\n"
            "assert check(part, list(range(1_000))).all()\n"
            "fill(part, [1_000])\n"
            "assert check(part, list(range(1_001))).all()\n"
        )
        run_beside(__file__, code)
        assert check(part, list(range(1_001))).all()
        assert len(segments(tmp_path)) <= 12


class TestNotes:
    """What stands beside the segments is a remark, and never worth more than they are."""

    def plant(self, path: Path, kind: str) -> None:
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to("/dev/zero")
        else:
            path.write_text(
                {"deep": "[" * 100_000, "huge": "1" * 100_000, "list": "[1]", "cut": '{"provider": "ai'}[kind]
            )

    def test_a_wrong_length_in_model_json_costs_nothing(self, api: AimlapiServer, tmp_path: Path, cli: Cli):
        """Of a model whose length is not known beforehand: what its vectors have counts, and nothing is paid twice."""
        api.models["their-own-model"] = 40
        open_it = {"name": "aimlapi:their-own-model", "cache": VectorCache(tmp_path / "cache")}
        first = embedclf.open_embedder(**open_it).embed(["a text", "another"])
        (path,) = tmp_path.glob("cache/vectors/*/model.json")
        path.write_text(path.read_text()[:-1] + f', "dimensions": {first.shape[1] + 1}}}')
        embedder = embedclf.open_embedder(**open_it)
        assert embedder.spec.dimensions == first.shape[1]
        assert (embedder.embed(["a text", "another"]) == first).all()
        assert embedder.embed(["a text", "one more"]).shape == first.shape
        assert api.texts_sent == ["a text", "another", "one more"]
        assert cli("cache", "info", "--cache-dir", tmp_path / "cache").stdout.count("their-own-model") == 1

    @pytest.mark.parametrize("kind", ["pipe", "folder", "link", "deep", "huge", "list", "cut"])
    @pytest.mark.parametrize("name", ["vectors/*/model.json", "ledger.jsonl"])
    def test_each_command_says_so_once_and_goes_on(
        self, cli: Cli, api: AimlapiServer, dataset: Path, name: str, kind: str
    ):
        """Whatever stands in their place: nothing hangs, nothing is a traceback, and no text is paid for again."""
        cli("train", dataset, *QUICKLY)
        folder = Path(os.environ["EMBEDCLF_CACHE_DIR"])
        (path,) = folder.glob(name)
        self.plant(path, kind)
        info = cli("cache", "info")
        assert info.exit_code == 0
        assert info.stderr.count("Warning: ") == 1
        assert f"{path} " in info.stderr
        assert " 30 0.2 MB 1 " in " ".join(info.stdout.split())
        assert cli("cache", "prune", "--older-than", "90d").stdout.startswith(f"{folder}: nothing to delete")
        assert cli("train", dataset, *QUICKLY).exit_code == 0
        assert len(api.texts_sent) == 30
        assert cli("cache", "clear", "--yes").stdout == f"Deleted 30 vectors from {folder}\n"

    def test_a_model_json_that_is_damaged_is_mended_when_something_is_written(
        self, cli: Cli, api: AimlapiServer, dataset: Path
    ):
        """And one that is a link is not written through."""
        cli("train", dataset, *QUICKLY)
        (path,) = Path(os.environ["EMBEDCLF_CACHE_DIR"]).glob("vectors/*/model.json")
        whole = path.read_text()
        path.write_text("{")
        embedclf.open_embedder(SMALL_MODEL, cache=True).embed(["new"])
        assert path.read_text() == whole
        path.unlink()
        path.symlink_to("elsewhere")
        embedclf.open_embedder(SMALL_MODEL, cache=True).embed(["newer"])
        assert path.is_symlink()
        assert not path.exists()

    def test_a_ledger_that_is_a_link_is_not_written_through(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """Nor is a named pipe waited for."""
        ledger = Path(os.environ["EMBEDCLF_CACHE_DIR"]) / "ledger.jsonl"
        ledger.symlink_to("mine")
        assert cli("train", dataset, *QUICKLY).exit_code == 0
        assert not Path("mine").exists()
        ledger.unlink()
        os.mkfifo(ledger)
        assert cli("train", dataset, *QUICKLY).exit_code == 0

    def test_lines_of_the_ledger_that_are_not_ours(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """They are left out, and counted in one warning."""
        cli("train", dataset, *QUICKLY)
        ledger = Path(os.environ["EMBEDCLF_CACHE_DIR"]) / "ledger.jsonl"
        whole = ledger.read_text()
        odd = [
            "[" * 5_000,
            '{"provider": 1}',
            whole.strip().replace('"tokens": ', '"tokens": 1e999, "other": '),
            whole.strip().replace('"tokens": ', '"tokens": -'),
            whole.strip().replace('"endpoint": "', '"endpoint": [], "other": "'),
            "\udcff",
        ]
        with ledger.open("a", errors="surrogateescape") as file:
            file.write("\n".join(odd) + "\n")
        shown = cli("cache", "info")
        assert shown.stderr == f"Warning: the ledger {ledger} has 6 invalid lines: skipped\n"
        assert " 0.2 MB 1 1 " in " ".join(shown.stdout.split())

    def test_clear_deletes_what_no_run_can_use(self, cli: Cli, part: ModelCache, tmp_path: Path):
        """Damaged files, and vectors of another length than those of the others."""
        folder = tmp_path / "cache"
        fill(part, [1])
        (path,) = segments(tmp_path)
        path.write_bytes(b"damaged")
        check(VectorCache(folder).of_model(SPEC), [1])
        assert not segments(tmp_path)
        assert cli("cache", "clear", "--yes", "--cache-dir", folder).stdout == f"Deleted 0 vectors from {folder}\n"
        assert not list(folder.glob("vectors/*"))
        assert cli("cache", "clear", "--cache-dir", folder).stdout == f"{folder} is empty.\n"

    @pytest.mark.parametrize("seconds", [-(10**9), 10**10])
    def test_files_of_an_impossible_time(self, part: ModelCache, tmp_path: Path, seconds: int):
        """Before 1970, or in the future: they are read, pruned and listed."""
        fill(part, [1])
        os.utime(segments(tmp_path)[0], (seconds, seconds))
        cache = VectorCache(tmp_path / "cache")
        assert check(cache.of_model(SPEC), [1]).all()
        assert cache.info()[0].n_vectors == 1
        assert cache.prune(max_bytes=0).n_dropped == 1

    def test_a_folder_that_others_can_write_is_warned_of_when_it_is_read(
        self, part: ModelCache, tmp_path: Path, caplog
    ):
        """Others could have put there what is read."""
        fill(part, [1])
        (tmp_path / "cache" / "vectors").chmod(0o777)
        assert check(VectorCache(tmp_path / "cache").of_model(SPEC), [1]).all()
        folder = tmp_path / "cache" / "vectors"
        assert caplog.messages == [f"cache: other users can write to {folder}; fix with: chmod -R go-w {folder}"]


class TestDisks:
    """Folders that do not let one write."""

    @pytest.mark.slow
    def test_a_full_disk_loses_no_vectors_at_hand(self, api: AimlapiServer, tmp_path: Path):
        """The run goes on with one warning, and no half file is left; what was kept before is served."""
        code = (
            "import resource, logging, numpy as np; logging.basicConfig(format='%(message)s')\n"
            "import embedclf\n"
            f"cache = embedclf.VectorCache({str(tmp_path / 'cache')!r})\n"
            f"embedder = embedclf.open_embedder({SMALL_MODEL!r}, cache=cache)\n"
            "before = embedder.embed(['before'])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
            "texts = [f'text {number}' for number in range(1_100)]\n"
            "vectors = embedder.embed(texts)\n"
            "assert vectors.shape == (1_100, 1536) and (abs((vectors ** 2).sum(axis=1) - 1) < 1e-5).all()\n"
            "assert (embedder.embed(['before']) == before).all()\n"
        )
        done = run_beside(__file__, code)
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("the cache cannot be written, so new vectors are not stored: ")
        assert len(api.texts_sent) == 1_101
        assert len(segments(tmp_path)) == 1
        assert not [path for path in (tmp_path / "cache").rglob("*") if ".part" in path.name]

    @pytest.mark.slow
    def test_a_read_only_folder_is_read(self, api: AimlapiServer, tmp_path: Path):
        """By someone who may not write: what is in it is served, what is new is embedded with one warning."""
        folder = tmp_path / "cache"
        embedclf.open_embedder(SMALL_MODEL, cache=VectorCache(folder)).embed(["before"])
        paths = [folder, *folder.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        # root may write anywhere, so it becomes nobody, once everything is imported and reachable
        code = (
            "import os, logging; logging.basicConfig(format='%(message)s')\n"
            "import openai, langchain_openai, joblib.numpy_pickle, filelock, embedclf\n"
            f"embedder = embedclf.open_embedder({SMALL_MODEL!r}, cache=embedclf.VectorCache({str(folder)!r}))\n"
            "embedder.embed(['before'])\n"
            "embedder._behind._connected()\n"
            "os.getuid() or os.setuid(65534)\n"
            "vectors = embedder.embed(['before', 'after', 'more'])\n"
            "assert (abs((vectors ** 2).sum(axis=1) - 1) < 1e-5).all()\n"
            "embedder.embed(['and more'])\n"
        )
        reachable = [parent for parent in tmp_path.parents if parent.stat().st_uid == os.getuid()]
        modes = {path: path.stat().st_mode for path in [tmp_path, *reachable]}
        for path in modes:
            path.chmod(stat.S_IMODE(modes[path]) | 0o555)
        try:
            done = run_beside(__file__, code)
        finally:
            for path, mode in modes.items():
                path.chmod(stat.S_IMODE(mode))
        assert done.stderr.count("\n") == 1, done.stderr
        assert "the cache cannot be written, so new vectors are not stored: " in done.stderr
        assert api.texts_sent == ["before", "after", "more", "and more"]

    def test_a_cache_folder_that_is_a_file(self, cli: Cli, api: AimlapiServer, dataset: Path, tmp_path: Path):
        """Nothing can be kept there, and nothing is lost."""
        (tmp_path / "file").touch()
        result = cli("train", dataset, *QUICKLY, "--cache-dir", tmp_path / "file")
        assert result.exit_code == 2
        result = cli("train", dataset, *QUICKLY, "--cache-dir", tmp_path / "file" / "below")
        assert result.exit_code == 0
        assert result.stderr.count("Warning: the cache cannot be written") == 1


class TestKills:
    """Processes that end at any moment."""

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_killed_at_random_moments_at_most_a_batch_is_asked_again(self, tmp_path: Path, api: AimlapiServer):
        """What had been answered before the last request in flight is never asked for twice."""
        texts = [f"text number {number}" for number in range(2_500)]
        (tmp_path / "texts").write_text("\n".join(texts))
        api.delay = 0.2
        # One process imports everything, and forks those that are killed: else the import would take most of the time.
        code = (
            "import os, sys, openai, langchain_openai, joblib.numpy_pickle, filelock, embedclf\n"
            "texts = open(sys.argv[1]).read().splitlines()\n"
            "for _ in sys.stdin:\n"
            "    if pid := os.fork():\n"
            "        print(pid, flush=True)\n"
            "        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)\n"
            "    else:\n"
            "        embedclf.open_embedder('aimlapi:text-embedding-3-small', cache=True).embed(texts)\n"
            "        os._exit(0)\n"
        )
        rng = random.Random(1)
        kills = 0
        command = [sys.executable, "-c", code, str(tmp_path / "texts")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdin is not None
            assert parent.stdout is not None
            ended = 1
            while ended:
                sent = len(api.texts_sent)
                parent.stdin.write("another\n")
                parent.stdin.flush()
                pid = int(parent.stdout.readline())
                # The moment counts from the first request on.
                wait_until(lambda sent=sent: len(api.texts_sent) > sent or select([parent.stdout], [], [], 0)[0])
                if not select([parent.stdout], [], [], rng.uniform(0.0, 0.6 + 0.1 * kills))[0]:
                    os.kill(pid, signal.SIGKILL)
                ended = int(parent.stdout.readline())
                assert ended in (0, -signal.SIGKILL)
                kills += bool(ended)
                assert kills < 50
            parent.stdin.close()
        assert kills >= 2
        asked = api.texts_sent
        assert set(asked) == set(texts)
        assert len(asked) - len(texts) <= kills * 16 * 157  # the requests under way, and what fills them
        embedclf.open_embedder(SMALL_MODEL, cache=True).embed(texts)
        assert len(api.texts_sent) == len(asked)

    @pytest.mark.slow
    @pytest.mark.exhaustive
    def test_eight_processes_share_a_folder(self, tmp_path: Path):
        """They read, write, merge and prune, some killed on the way: nothing wrong is served, nothing else is lost."""
        rng = random.Random(2)
        worker = SUPPORT / "cache_worker.py"
        folder = tmp_path / "cache"
        started = 0

        def start() -> "subprocess.Popen[bytes]":
            nonlocal started
            started += 1
            note = tmp_path / f"acknowledged-{started}"
            return subprocess.Popen([sys.executable, str(worker), str(folder), str(note), str(started)])

        def acknowledged() -> tuple[set[int], int]:
            noted = [line for note in tmp_path.glob("acknowledged-*") for line in note.read_text().split()]
            written = {int(line) for line in noted if not line.startswith("-")}
            return written, sum(int(line[1:]) for line in noted if line.startswith("-"))

        running = [start() for _ in range(8)]
        end, latest = time.monotonic() + 8, time.monotonic() + PATIENCE
        # On a slow machine, a process that is killed soon has hardly begun.
        while (now := time.monotonic()) < end or (now < latest and not acknowledged()[1]):
            time.sleep(rng.uniform(0.1, 0.5))
            victim = rng.randrange(8)
            running[victim].kill()
            assert running[victim].wait() == -signal.SIGKILL  # and not 3, for a wrong vector
            running[victim] = start()
        for process in running:
            process.kill()
            assert process.wait() == -signal.SIGKILL
        written, n_pruned = acknowledged()
        assert len(written) > 100
        assert n_pruned > 0
        part = VectorCache(folder).of_model(SPEC)
        assert check(part, sorted(written)).all()
        assert not list(folder.rglob("*.damaged"))


def test_a_long_text_and_strange_ones_have_keys_of_their_own(part: ModelCache, caplog):
    """Equal texts have equal keys, others have not; NUL and Unicode forms count."""
    texts = ["a", "a\0", "a ", "A", "é", "e\u0301", "x" * 100_000, "x" * 100_001]
    assert len(set(hash_texts(texts).tolist())) == len(texts)
    caplog.set_level(logging.DEBUG)
    assert not part.read(hash_texts(texts))[0].any()
    assert not caplog.records


def test_a_shared_cache_from_the_command_line(cli: Cli, api: AimlapiServer, tmp_path: Path, dataset: Path):
    """predict and evaluate read what train has paid for."""
    cli("train", dataset, *QUICKLY, "--cache-dir", "shared")
    result = cli("evaluate", dataset, "--cache-dir", "shared")
    assert result.exit_code == 0
    write_csv(tmp_path / "new.csv", [("I want my money back",), ("something new",)], header=("text",))
    cli("predict", "--input", "new.csv", "--output", "out.csv", "--cache-dir", "shared")
    assert api.texts_sent[30:] == ["something new"]
