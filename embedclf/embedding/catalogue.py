"""What is known of the models that AI/ML API serves.

Source: AI/ML API's public documentation, repository aimlapi/api-docs, commit f14fa72 of 2026-08-21. Prices follow from
its pages per dollar at 800 tokens a page.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Published facts of one model.

    Attributes
    ----------
    dimensions : int
        Length of its vectors.
    shortens : bool
        Whether the vectors can be cut and scaled to unit length again, as the field ``dimensions`` does.
    dollars_per_million_tokens : float
    """

    dimensions: int
    shortens: bool
    dollars_per_million_tokens: float


CATALOGUE = {
    "text-embedding-3-small": ModelFacts(1536, True, 0.02),
    "text-embedding-3-large": ModelFacts(3072, True, 0.13),
    "text-embedding-ada-002": ModelFacts(1536, False, 0.10),
}
