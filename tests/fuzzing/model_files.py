"""Damaged model files: the classifier's own answers, or a clear error.

    python -m fuzzing.model_files N [SEED]        (from tests/)

A file is damaged in one of many ways and loaded. What loads must give exactly the classifier that was saved: the same
labels and the same probabilities.
"""

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

import embedclf
from embedclf.classifier.linear import LinearModel
from embedclf.classifier.model_card import HeldOut, ModelCard
from embedclf.classifier.model_file import model_bytes, read_model
from embedclf.embedding.base import EmbedderSpec
from fuzzing.damage import damaged


def main(n: int, seed: int = 0) -> Counter[str]:
    """Load so many damaged files; returns how many were refused, gave the right model, and were lost."""
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        while outcomes.total() < n:
            n_classes, n_columns = rng.randint(2, 12), rng.choice([8, 64, 256])
            weights = numbers.normal(size=(n_classes, n_columns)).astype(np.float32)
            classes = tuple(f"class {number}" for number in range(n_classes))
            model = LinearModel(weights, numbers.normal(size=n_classes).astype(np.float32), classes)
            spec = EmbedderSpec("wordllama", "l2_supercat", n_columns, None)
            held_out = HeldOut(0.75, 0.5, 0.125, 40)
            card = ModelCard(spec, "logistic", 1.0, 0.5, None, None, 160, held_out, embedclf.__version__)
            whole = model_bytes(model, card)
            for _ in range(50):
                data = damaged(whole, rng)
                if rng.random() < 0.2:  # labels in another order
                    first, second = rng.sample(classes, 2)
                    data = whole.replace(first.encode(), b"\0").replace(second.encode(), first.encode())
                    data = data.replace(b"\0", second.encode())
                path.write_bytes(data)
                try:
                    loaded, loaded_card = read_model(path)
                except embedclf.ModelFileError:
                    outcomes["refused"] += 1
                    continue
                same = (
                    loaded.classes == classes
                    and (loaded.weights == weights).all()
                    and (loaded.bias == model.bias).all()
                    and loaded_card == card
                )
                outcomes["right" if same else "lost"] += 1
    return outcomes


if __name__ == "__main__":
    print(dict(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
