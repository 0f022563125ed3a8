"""Outliers: texts that are far from all others."""

import numpy as np

from embedclf.quality.distinct_texts import DistinctTexts
from embedclf.quality.findings import Finding
from embedclf.stats.neighbours import Nearest

FEWEST_TEXTS = 20
"""The least number of distinct texts among which outliers can be found."""

_FAR = 3.5
_N_SHOWN = 3


def anomalies(distinct: DistinctTexts, near: Nearest) -> list[Finding]:
    """Find texts that are far from all others.

    The score of a text is based on its mean cosine similarity to its ten nearest neighbours (the mean distance to the
    nearest neighbours as an outlier score: Angiulli & Pizzuti, "Fast Outlier Detection in High Dimensional Spaces",
    PKDD 2002). Its logarithm is compared across texts: if the texts are very diverse, all are far apart, which leaves
    the distance itself no room to stand out. A text is an outlier beyond 3.5 robust standard deviations (the modified
    z-score of Iglewicz & Hoaglin, "How to Detect and Handle Outliers", 1993: from the median, in units of 1.4826 times
    the median absolute deviation).
    """
    if len(distinct.rows) < FEWEST_TEXTS:
        return []
    similarity = near.similarities.mean(axis=1, dtype=np.float64)
    farness = -np.log(np.maximum(similarity, 0.01))
    beyond = farness - np.median(farness)
    spread = 1.4826 * np.median(np.abs(beyond))
    if spread < 1e-6:
        return []
    scores = beyond / spread
    return [
        Finding(
            "anomalies",
            "warning",
            int(distinct.rows[one]),
            distinct.texts[one],
            distinct.labels[one],
            f"mean similarity to {near.rows.shape[1]} nearest: {max(similarity[one], 0.0):.2f} "
            f"(typical {np.median(similarity):.2f})",
            score=round(float(scores[one]), 2),
            others=tuple(
                distinct.other(int(near.rows[one, place]), near.similarities[one, place]) for place in range(_N_SHOWN)
            ),
        )
        for one in np.argsort(-scores, kind="stable")
        if scores[one] > _FAR
    ]
