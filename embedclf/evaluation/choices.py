"""The embedders of a comparison, opened and run on the same texts under one cost limit."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Unpack

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.base import WORDS, Embedder
from embedclf.embedding.factory import EmbedderSettings, as_embedder, open_embedder, what_it_takes
from embedclf.embedding.usage import Estimate, Usage
from embedclf.embedding.words import MODEL
from embedclf.errors import ArgumentError, EmbedderError, MaxCostError
from embedclf.formatting import exact_dollars
from embedclf.training.recipe import Recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """An embedder to compare: as it was given, the length of its vectors, the open embedder, and what it is told."""

    given: Any
    dimensions: int | None
    opened: Embedder
    task: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embedder, with its vectors of the examples."""

    embedder: Embedder
    vectors: Vectors


def open_choices(
    embedders: Sequence[Any],
    dimensions: Sequence[int | None],
    recipes: Sequence[Recipe],
    *,
    tasks: Sequence[str | None] = (None,),
    prompts: Sequence[str | None] = (None,),
    **settings: Unpack[EmbedderSettings],
) -> list[Choice]:
    """Open every embedder at every length that it supports, and one for words only, as far as the recipes need them.

    Each is opened with every task and prompt; one that takes no task, or no prompt, is opened without. Words have no
    length either. What is asked for twice, also by two names, is opened once.

    Raises
    ------
    EmbedderError
        If an embedder cannot be opened, or supports none of the lengths, or none takes the tasks or prompts.
    ArgumentError
        If the only embedder is for words, but recipes need vectors.
    """
    of_words = [given for given in embedders if _is_lexical(given)]
    of_vectors = [given for given in embedders if not _is_lexical(given)]
    if of_words and not of_vectors and (needed := {one.features for one in recipes} - {"auto", "words"}):
        raise ArgumentError(f"{WORDS}:{MODEL} has no embeddings: features={min(needed)!r} needs another embedder")
    if not any(recipe.uses_vectors for recipe in recipes):
        of_vectors = []
    choices: dict[Any, Choice] = {}
    # If none takes them, opening the first says so.
    some_take_task, some_take_prompt = (any(what_it_takes(given)[what] for given in embedders) for what in (0, 1))
    for given in [*of_vectors, *of_words]:
        faults = []
        takes_task, takes_prompt = what_it_takes(given)
        own_lengths = dimensions if given in of_vectors or not of_vectors else (None,)
        own_tasks = tasks if takes_task or not some_take_task else (None,)
        own_prompts = prompts if takes_prompt or not some_take_prompt else (None,)
        for length, task, prompt in product(own_lengths, own_tasks, own_prompts):
            try:
                opened = as_embedder(given, dimensions=length, task=task, prompt=prompt, **settings)
            except EmbedderError as error:
                faults.append(error)
                continue
            # Two objects of a user's own may describe themselves alike and still make other vectors.
            is_known = given is None or isinstance(given, str) or opened.spec.is_enough
            choices.setdefault(
                opened.spec if is_known else (id(given), prompt), Choice(given, length, opened, task, prompt)
            )
        if len(faults) == len(own_lengths) * len(own_tasks) * len(own_prompts):
            raise faults[0]
        for fault in faults:
            logger.warning("skipped: %s", fault)
    if not of_words and not all(recipe.uses_vectors for recipe in recipes):
        choices[WORDS] = Choice(WORDS, None, open_embedder(WORDS))
    return list(choices.values())


def _is_lexical(given: Any) -> bool:
    """Return whether an embedder, as in `as_embedder`, is for words only."""
    if isinstance(given, Embedder):
        return given.is_lexical
    return isinstance(given, str) and given.partition(":")[0] == WORDS


def estimate_all(choices: Sequence[Choice], texts: Sequence[str]) -> list[tuple[Choice, Estimate]]:
    """Estimate the cost of embedding texts with each remote embedder; those with the same source count once."""
    seen, estimates = set(), []
    for choice in choices:
        if not choice.opened.is_local and choice.opened.source not in seen:
            seen.add(choice.opened.source)
            estimates.append((choice, choice.opened.estimate(texts)))
    return estimates


def check_cost_of_all(choices: Sequence[Choice], texts: Sequence[str], max_cost: float | None) -> None:
    """Check that the total cost of all embedders is within a limit in dollars.

    Raises
    ------
    MaxCostError
        If it is not. Nothing has been sent then.
    """
    if max_cost is None:
        return
    dollars = sum(estimate.dollars or 0.0 for _, estimate in estimate_all(choices, texts))
    if dollars > max_cost:
        raise MaxCostError(
            f"embedding the texts with all embedders would cost about {exact_dollars(dollars)}, but --max-cost is "
            f"{exact_dollars(max_cost)}: nothing was sent",
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
        Each result is appended to it; vectors are NaN for a text that cannot be embedded.

    Returns
    -------
    dict of int to str
        For each text that at least one embedder cannot embed, the reason.
    """
    reasons: dict[int, str] = {}
    limit = settings.get("max_cost")
    for choice in choices:
        opened = choice.opened
        if limit is not None and not opened.is_local:
            left = {**settings, "max_cost": max(0.0, limit - sum(one.embedder.spent for one in embedded))}
            asked = {"dimensions": choice.dimensions, "task": choice.task, "prompt": choice.prompt}
            opened = as_embedder(choice.given, **asked, **left)  # type: ignore[arg-type]
        # Appended before embedding, so that its cost counts even if it fails.
        embedded.append(Embedded(opened, np.empty((0, 0), dtype=np.float32)))
        vectors, refused = opened.embed_partial(texts)
        embedded[-1] = Embedded(opened, vectors)
        reasons = refused | reasons
    return dict(sorted(reasons.items()))


def usage_of_all(embedded: Sequence[Embedded]) -> Usage:
    """Return the total usage of the embedders."""
    total = Usage()
    for one in embedded:
        total = total.plus(one.embedder.usage)
    return total
