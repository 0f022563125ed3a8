"""The arrays that pass between modules."""

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""Vectors of texts, of shape (n_texts, n_dimensions)."""

Floats = npt.NDArray[np.float64]

Ints = npt.NDArray[np.intp]
"""Indices, or counts."""

Mask = npt.NDArray[np.bool_]

Hashes = npt.NDArray[np.uint64]
