"""A process that reads and writes a cache until it is killed; for `test_cache.py`.

    python cache_worker.py FOLDER ACKNOWLEDGED SEED

Every text's vector is known, so each one read is checked, and each one whose writing returned is noted.
"""

import random
import sys
from pathlib import Path

import numpy as np

from embedclf.embedding import EmbedderSpec
from embedclf.embedding.cache import VectorCache, hash_texts

SPEC = EmbedderSpec("aimlapi", "text-embedding-3-small", 48, "https://api.aimlapi.com/v1")
TEXTS = [f"text {number}" for number in range(3_000)]


def vectors_of(numbers: list[int]) -> np.ndarray:
    """What the vectors of some texts are."""
    vectors = np.stack([np.random.default_rng(number).normal(size=48) for number in numbers]).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    folder, acknowledged, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    cache = VectorCache(folder).of_model(SPEC)
    rng = random.Random(seed)
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


if __name__ == "__main__":
    main()
