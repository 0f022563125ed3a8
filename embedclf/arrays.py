"""Types of the arrays that are passed between modules."""

from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""Vectors of texts, of shape (n_texts, n_dimensions)."""

Floats = npt.NDArray[np.float64]

Floats32 = npt.NDArray[np.float32]

AnyFloats = Floats | Floats32
"""Floats of either precision."""

Ints = npt.NDArray[np.intp]
"""Indices or counts."""

Mask = npt.NDArray[np.bool_]

Hashes = npt.NDArray[np.uint64]

Targets = npt.NDArray[Any]
"""What classifiers are fitted to: class numbers, (n,) int, or which labels each row has, (n, n_classes) bool."""
