"""The embedders that are compared: opened, and asked for the same texts within one limit of cost."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.base import WORDS, Embedder
from embedclf.embedding.factory import EmbedderSettings, as_embedder, open_embedder
from embedclf.embedding.usage import Estimate, Usage
from embedclf.errors import EmbedderError, MaxCostError
from embedclf.training.recipe import Recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """An embedder that is compared: what names it, its length, and it itself, open."""

    given: Any
    dimensions: int | None
    opened: Embedder


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embedder, and what it made of the examples."""

    embedder: Embedder
    vectors: Vectors


def open_choices(
    embedders: Sequence[Any],
    dimensions: Sequence[int | None],
    recipes: Sequence[Recipe],
    **settings: Unpack[EmbedderSettings],
) -> list[Choice]:
    """Open every embedder at every length that it has, and one for words alone, as far as they are needed.

    Raises
    ------
    EmbedderError
        If one cannot be opened, or has none of the lengths.
    """
    choices = []
    for given in embedders if any(recipe.uses_vectors for recipe in recipes) else ():
        faults = []
        for length in dimensions:
            try:
                choices.append(Choice(given, length, as_embedder(given, dimensions=length, **settings)))
            except EmbedderError as error:
                faults.append(error)
        if len(faults) == len(dimensions):
            raise faults[0]
        for fault in faults:
            logger.warning("left out: %s", fault)
    if not all(recipe.uses_vectors for recipe in recipes):
        choices.append(Choice(WORDS, None, open_embedder(WORDS)))
    return choices


def estimate_all(choices: Sequence[Choice], texts: Sequence[str]) -> list[tuple[Choice, Estimate]]:
    """Estimate what it takes to embed texts with each embedder that may cost something; what they share, once."""
    seen, estimates = set(), []
    for choice in choices:
        if not choice.opened.is_local and choice.opened.source not in seen:
            seen.add(choice.opened.source)
            estimates.append((choice, choice.opened.estimate(texts)))
    return estimates


def check_cost_of_all(choices: Sequence[Choice], texts: Sequence[str], max_cost: float | None) -> None:
    """Check that all together are within a limit in dollars.

    Raises
    ------
    MaxCostError
        If they are not; nothing was sent then.
    """
    if max_cost is None:
        return
    dollars = sum(estimate.dollars or 0.0 for _, estimate in estimate_all(choices, texts))
    if dollars > max_cost:
        raise MaxCostError(
            f"embedding for all of them would cost about ${dollars:,.4f}, and --max-cost is {max_cost:g}: nothing was "
            "sent",
            spent=0.0,
            limit=max_cost,
        )


def embed_choices(
    choices: Sequence[Choice], texts: Sequence[str], embedded: list[Embedded], **settings: Unpack[EmbedderSettings]
) -> dict[int, str]:
    """Embed texts with each embedder, all together within ``max_cost``.

    Parameters
    ----------
    choices : sequence of Choice
    texts : sequence of str
    embedded : list of Embedded
        What each makes of the texts is added to it; NaN where a text cannot be embedded.

    Returns
    -------
    dict of int to str
        Why some texts cannot, by any of them.
    """
    reasons: dict[int, str] = {}
    limit = settings.get("max_cost")
    for choice in choices:
        opened = choice.opened
        if limit is not None and not opened.is_local:
            left = {**settings, "max_cost": max(0.0, limit - (usage_of_all(embedded).dollars or 0.0))}
            opened = as_embedder(choice.given, dimensions=choice.dimensions, **left)  # type: ignore[arg-type]
        # It is there before its vectors are: what it spends counts, though it fails.
        embedded.append(Embedded(opened, np.empty((0, 0), dtype=np.float32)))
        vectors, refused = opened.embed_partial(texts)
        embedded[-1] = Embedded(opened, vectors)
        reasons = refused | reasons
    return dict(sorted(reasons.items()))


def usage_of_all(embedded: Sequence[Embedded]) -> Usage:
    """Return the sum of what embedding took."""
    total = Usage()
    for one in embedded:
        total = total.plus(one.embedder.usage)
    return total
