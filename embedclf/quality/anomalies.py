"""Texts that are far from all others."""

import numpy as np

from embedclf.quality.distinct_texts import DistinctTexts
from embedclf.quality.findings import Finding
from embedclf.stats.neighbours import Nearest

FEWEST_TEXTS = 20
"""Different texts among which one can be far from all."""

_FAR = 3.5
_N_SHOWN = 3


def anomalies(distinct: DistinctTexts, near: Nearest) -> list[Finding]:
    """Find texts that are far from all others.

    How near a text is to the others is its mean cosine similarity to its ten nearest (the mean distance to the nearest
    as a score of outliers: Angiulli & Pizzuti, "Fast Outlier Detection in High Dimensional Spaces", PKDD 2002). Its
    logarithm is compared with that of the other texts: in a file of very different texts, all are far from all, so that
    the distance itself has no room to stand out. Beyond 3.5 robust standard deviations (the modified z-score of
    Iglewicz & Hoaglin, "How to Detect and Handle Outliers", 1993: from the median, in units of 1.4826 times the median
    absolute deviation) a text is far.
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
            f"mean similarity {max(similarity[one], 0.0):.2f} to its {near.rows.shape[1]} nearest; "
            f"{np.median(similarity):.2f} is usual",
            score=round(float(scores[one]), 2),
            others=tuple(
                distinct.other(int(near.rows[one, place]), near.similarities[one, place]) for place in range(_N_SHOWN)
            ),
        )
        for one in np.argsort(-scores, kind="stable")
        if scores[one] > _FAR
    ]
