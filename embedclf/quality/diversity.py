"""Diversity of texts, measured on their vectors."""

import numpy as np

from embedclf.arrays import Vectors
from embedclf.quality.findings import Diversity


def diversity_of(vectors: Vectors) -> Diversity:
    """Measure the diversity of texts.

    The mean cosine distance over all pairs follows exactly from the sum of the vectors, since the squared length of the
    sum is the sum of all dot products. The Vendi score (Friedman & Dieng, "The Vendi Score: A Diversity Evaluation
    Metric for Machine Learning", TMLR 2023) is the exponential of the entropy of the eigenvalues of the similarity
    matrix divided by n. The small d × d matrix has the same non-zero eigenvalues, so no n × n matrix is needed.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        At least one vector; all of unit length.
    """
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    mean = None if n < 2 else float(np.clip(1 - (total @ total - n) / (n * (n - 1)), 0, 2))
    gram = vectors @ vectors.T if n < vectors.shape[1] else vectors.T @ vectors
    shares = np.linalg.eigvalsh(gram.astype(np.float64) / n)
    shares = shares[shares > 1e-9]  # the others are zero up to rounding
    shares /= shares.sum()
    return Diversity(n, mean, float(np.exp(-(shares * np.log(shares)).sum())))
