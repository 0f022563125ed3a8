"""How different texts are, by their vectors."""

import numpy as np

from embedclf.arrays import Vectors
from embedclf.quality.findings import Diversity


def diversity_of(vectors: Vectors) -> Diversity:
    """Measure how different texts are.

    The mean cosine distance over all pairs follows exactly from the sum of the vectors, since the squared length of the
    sum is the sum of all products. The Vendi score (Friedman & Dieng, "The Vendi Score: A Diversity Evaluation Metric
    for Machine Learning", TMLR 2023) is the exponential of the entropy of the eigenvalues of the matrix of similarities
    divided by n; these are those of the small matrix of d × d, so that no n × n is needed.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_dimensions), float32
        Of unit length, at least one.
    """
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    mean = None if n < 2 else float(np.clip(1 - (total @ total - n) / (n * (n - 1)), 0, 2))
    gram = vectors @ vectors.T if n < vectors.shape[1] else vectors.T @ vectors
    shares = np.linalg.eigvalsh(gram.astype(np.float64) / n)
    shares = shares[shares > 1e-9]  # the others are zeros with the last digits of a float
    shares /= shares.sum()
    return Diversity(n, mean, float(np.exp(-(shares * np.log(shares)).sum())))
