"""The cache: vectors of 1,536 written, all of them read, and one text predicted, whose vector is found there.

Run as a script, it is one side, in an environment that may have nothing of ours.
"""

import hashlib
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from measuring import CHUNK, Curve, Figures, Setting, SideError, Step, chunks, grow, in_a_process, report, whole_process

DIMENSIONS = 1_536
BATCH = 512  # as the client writes
_POOL = 4_096  # different vectors; texts are all different
_LARGE = 500_000  # rows from which on a side's files are deleted before the next is measured
ONE = "this is text number 617 of those that are in the cache"


def texts(start: int, stop: int) -> list[str]:
    return [f"this is text number {number} of those that are in the cache" for number in range(start, stop)]


def vectors() -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(_POOL, DIMENSIONS)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


class Side:
    """A cache in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        raise NotImplementedError

    def reader(self) -> Callable[[list[str]], object]:
        raise NotImplementedError

    def one(self, text: str) -> object:
        """Predict one text with a pickled scikit-learn classifier, as a script would."""
        import joblib

        (vector,) = self.reader()([text])
        return joblib.load(self.folder.parent / "classifier.joblib").predict([vector])


class Ours(Side):
    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        from cache import SPEC

        from embedclf.embedding.cache.keys import hash_texts
        from embedclf.embedding.cache.vector_cache import VectorCache

        part = VectorCache(self.folder).of_model(SPEC)
        for several, made in batches:
            part.write(hash_texts(several), made, len(several))

    def reader(self) -> Callable[[list[str]], object]:
        import embedclf

        cache = embedclf.VectorCache(self.folder)
        return embedclf.open_embedder("aimlapi:text-embedding-3-small", cache=cache).embed


class Memory(Side):
    def _cached(self, function: Callable[[str], np.ndarray]) -> Callable[[str], np.ndarray]:
        import joblib

        return joblib.Memory(self.folder, verbose=0).cache(function)

    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        for several, made in batches:
            known.update(zip(several, made, strict=True))
            cached = self._cached(look_up)
            for text in several:
                cached(text)
            known.clear()

    def reader(self) -> Callable[[list[str]], object]:
        cached = self._cached(look_up)
        return lambda several: [cached(text) for text in several]


known: dict[str, np.ndarray] = {}


def look_up(text: str) -> np.ndarray:
    return known[text]


class CacheBacked(Side):
    def _opened(self) -> object:
        from langchain_classic.embeddings import CacheBackedEmbeddings
        from langchain_classic.storage import LocalFileStore
        from langchain_core.embeddings import Embeddings

        class Known(Embeddings):
            def embed_documents(self, several: list[str]) -> list[list[float]]:
                return [known[text] for text in several]

            embed_query = None

        store = LocalFileStore(self.folder)
        return CacheBackedEmbeddings.from_bytes_store(Known(), store, namespace="model", key_encoder="blake2b")

    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        opened = self._opened()
        for several, made in batches:
            known.update(zip(several, made.tolist(), strict=True))
            opened.embed_documents(several)
            known.clear()

    def reader(self) -> Callable[[list[str]], object]:
        return self._opened().embed_documents


class Embetter(Side):
    def _opened(self) -> object:
        from embetter.utils import cached

        class Known:
            def transform(self, several: list[str]) -> np.ndarray:
                return np.array([known[text] for text in several])

        return cached(str(self.folder), Known())

    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        opened = self._opened()
        for several, made in batches:
            known.update(zip(several, made, strict=True))
            opened.transform(several)
            known.clear()

    def reader(self) -> Callable[[list[str]], object]:
        return self._opened().transform


class Lmdb(Side):
    def _opened(self) -> object:
        import lmdb

        return lmdb.open(str(self.folder), map_size=2**36)

    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        opened = self._opened()
        for several, made in batches:
            with opened.begin(write=True) as transaction:
                for text, vector in zip(several, made, strict=True):
                    transaction.put(_key(text), vector.tobytes())

    def reader(self) -> Callable[[list[str]], object]:
        opened = self._opened()

        def read(several: list[str]) -> np.ndarray:
            found = np.empty((len(several), DIMENSIONS), dtype=np.float32)
            with opened.begin(buffers=True) as transaction:
                for row, text in enumerate(several):
                    found[row] = np.frombuffer(transaction.get(_key(text)), dtype=np.float32)
            return found

        return read


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class Array(Side):
    """The limit: no keys, one file."""

    def write(self, batches: Iterator[tuple[list[str], np.ndarray]]) -> None:
        self.folder.mkdir()
        n = int(self.folder.name.rpartition("-")[2])
        array = np.lib.format.open_memmap(self.folder / "array.npy", "w+", np.float32, (n, DIMENSIONS))
        start = 0
        for several, made in batches:
            array[start : start + len(several)] = made
            start += len(several)
        array.flush()

    def reader(self) -> Callable[[list[str]], object]:
        array = np.load(self.folder / "array.npy", mmap_mode="r")
        start = 0

        def read(several: list[str]) -> np.ndarray:
            nonlocal start
            start += len(several)
            return np.array(array[start - len(several) : start])

        return read


class Kind(NamedTuple):
    """A side's class, what is imported before the clock starts, and the packages that its environment needs."""

    side: type[Side]
    modules: tuple[str, ...]
    requirements: tuple[str, ...] = ()


SIDES = {
    "embedclf": Kind(Ours, ("cache", "embedclf.embedding.aimlapi.model", "embedclf.embedding.cached_embedder")),
    "joblib.Memory": Kind(Memory, ("joblib",)),
    "CacheBackedEmbeddings": Kind(
        CacheBacked,
        ("langchain_classic.embeddings", "langchain_classic.storage"),
        ("langchain-classic", "joblib", "numpy", "scikit-learn"),
    ),
    "embetter": Kind(Embetter, ("embetter.utils",), ("embetter", "joblib", "numpy", "scikit-learn")),
    "LMDB": Kind(Lmdb, ("lmdb",), ("lmdb", "joblib", "numpy", "scikit-learn")),
    "np.load": Kind(Array, ()),
}


def measure(setting: Setting) -> dict[str, object]:
    from environments import python_for, version_in

    scratch = setting.scratch / "cache"
    scratch.mkdir()
    _save_classifiers(scratch)
    curves, versions = [], {}
    for number, (name, (_, _, requirements)) in enumerate(SIDES.items()):
        try:
            python = python_for(setting.environments, *requirements)
        except SideError as error:
            curves.append(Curve(name, []))
            curves[-1].end(setting.sizes[0], str(error))
            continue
        if requirements:
            versions[requirements[0]] = version_in(python, requirements[0])
        curves.append(_curve(name, python, scratch / str(number), setting))
    found = grow(curves, setting, apart_from=_LARGE)
    if "embetter" in versions:
        versions["diskcache"] = version_in(
            python_for(setting.environments, *SIDES["embetter"].requirements), "diskcache"
        )
    return {"sides": found, "versions": versions}


def _curve(name: str, python: str, place: Path, setting: Setting) -> Curve:
    def folder(n: int) -> Path:
        return place.with_name(f"{place.name}-{n}")

    def command(what: str, n: int) -> list[str]:
        return [python, __file__, what, name, str(folder(n)), str(n)]

    def write(n: int) -> Figures:
        free = shutil.disk_usage(setting.scratch).free
        if free < 3 * n * DIMENSIONS * 4:
            raise SideError(f"only {free / 1e9:.0f} GB of disk left")
        shutil.rmtree(folder(n), ignore_errors=True)
        figures = in_a_process(command("write", n), setting)
        used = sum(path.stat().st_blocks * 512 for path in folder(n).rglob("*"))
        return figures | {"disk": used / (n * DIMENSIONS * 4)}

    def one(n: int) -> Figures:
        if name != "embedclf":
            return whole_process(command("one", n), setting)
        model = str(place.parent / "classifier.safetensors")
        predict = [python, "-m", "embedclf", "predict", "-m", model, "--cache-dir", str(folder(n)), ONE]
        return whole_process(predict, setting)

    steps = [
        Step("write", write),
        Step("read", lambda n: in_a_process(command("read", n), setting)),
    ]
    if name != "np.load":  # which finds nothing by its text
        steps.append(Step("one", one))
    return Curve(name, steps, lambda n: shutil.rmtree(folder(n), ignore_errors=True))


def _save_classifiers(folder: Path) -> None:
    """Make one of ours and one of scikit-learn's, of 12 labels."""
    import joblib
    from sklearn.linear_model import LogisticRegression

    import embedclf

    rows = vectors()[:600]
    labels = [f"label {number % 12}" for number in range(len(rows))]
    joblib.dump(LogisticRegression().fit(rows, labels), folder / "classifier.joblib")
    embedder = embedclf.open_embedder("aimlapi:text-embedding-3-small", base_url="https://api.aimlapi.com/v1")
    made = embedclf.train(texts(0, len(rows)), labels, vectors=rows, embedder=embedder, regularization=1, holdout=0)
    made.save(folder / "classifier.safetensors")


def main(what: str, name: str, folder: Path, n: int) -> None:
    kind = SIDES[name]
    side = kind.side(folder)
    if what == "one":
        side.one(ONE)
        return
    for module in kind.modules:
        importlib.import_module(module)
    if what == "write":
        pool = vectors()
        batches = ((texts(start, stop), pool[np.arange(start, stop) % _POOL]) for start, stop in chunks(n, BATCH))
        report(lambda: side.write(batches))
        return

    def read() -> None:
        reader = side.reader()
        for start, stop in chunks(n, CHUNK):
            assert len(reader(texts(start, stop))) == stop - start

    report(read)


if __name__ == "__main__":
    if sys.argv[2] == "embedclf":
        sys.path.insert(0, str(Path(__file__).parent.parent))
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
