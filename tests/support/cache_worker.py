"""A process that reads, writes and prunes a cache until it is killed; for the tests of the cache, and for soaking it.

    python cache_worker.py FOLDER ACKNOWLEDGED SEED

Every text's vector is known, so each one read is checked, and each one whose writing returned is noted. What it prunes
are segments that it has put there as old ones itself, of texts of their own; how many vectors went is noted as ``-n``.
"""

import contextlib
import os
import random
import secrets
import sys
import time
from datetime import timedelta
from pathlib import Path

import joblib
import numpy as np

import embedclf.embedding.cache.segment_store
from embedclf.data.atomic_file import AtomicFile
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.vector_cache import VectorCache

SPEC = EmbedderSpec("aimlapi", "text-embedding-3-small", 48, "https://api.aimlapi.com/v1")
TEXTS = [f"text {number}" for number in range(3_000)]
OLD_TEXTS = [f"text {number}" for number in range(3_000, 4_000)]
DAYS_OLD = 100


def vectors_of(numbers: list[int]) -> np.ndarray:
    """What the vectors of some texts are."""
    vectors = np.stack([np.random.default_rng(number).normal(size=48) for number in numbers]).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def put_old(part_folder: Path, numbers: list[int], days: float = DAYS_OLD) -> Path:
    """Put a segment there that was written some days ago."""
    texts = [f"text {number}" for number in numbers]
    keys = hash_texts(texts).view("<u8").reshape(-1, 2)
    content = {"embedclf": 1, "keys": keys, "vectors": vectors_of(numbers), "tokens": len(numbers)}
    path = part_folder / f"{time.time_ns():016x}-{secrets.token_hex(4)}.joblib"
    with AtomicFile(path) as file:
        joblib.dump(content, file.file)
    written = time.time() - days * 86_400
    with contextlib.suppress(FileNotFoundError):  # merged by another process, as one of today
        os.utime(path, (written, written))
    return path


def main() -> None:
    folder, acknowledged, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    whole = VectorCache(folder)
    cache = whole.of_model(SPEC)
    rng = random.Random(seed)
    if seed % 2:  # an index of keys is made of few segments already
        embedclf.embedding.cache.segment_store.MANY_SEGMENTS = 3
    mine: set[int] = set()
    with acknowledged.open("a") as file:
        while True:
            numbers = rng.sample(range(len(TEXTS)), rng.randint(1, 40))
            keys = hash_texts([TEXTS[number] for number in numbers])
            found, vectors = cache.read(keys)
            known = vectors_of(numbers)
            if vectors is not None and not (vectors[found] == known[found]).all():
                sys.exit(3)  # a wrong vector was served
            if any(number in mine and not there for number, there in zip(numbers, found, strict=True)):
                sys.exit(4)  # one that was acknowledged is not found
            missing = np.flatnonzero(~found)
            if len(missing):
                cache.write(keys[missing], known[missing], len(missing))
                file.write("".join(f"{numbers[index]}\n" for index in missing))
                file.flush()
                mine |= {numbers[index] for index in missing}
            if rng.random() < 0.1:
                old = rng.sample(range(len(TEXTS), len(TEXTS) + len(OLD_TEXTS)), 30)
                put_old(cache.folder.path, old)
                found, vectors = cache.read(hash_texts([f"text {number}" for number in old[:3]]))
                if vectors is not None and not (vectors[found] == vectors_of(old[:3])[found]).all():
                    sys.exit(3)
            if rng.random() < 0.1:
                file.write(f"-{whole.prune(older_than=timedelta(days=90)).n_dropped}\n")
                file.flush()


if __name__ == "__main__":
    main()
