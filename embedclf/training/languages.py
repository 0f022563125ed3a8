"""A warning if texts are in a language that their embedder was not made for."""

import logging
from collections.abc import Sequence

from embedclf.embedding.aimlapi.catalogue import MULTILINGUAL
from embedclf.embedding.base import Embedder
from embedclf.features.languages import notable_languages, shown_language
from embedclf.training.recipe import Recipe

logger = logging.getLogger(__name__)

MULTILINGUAL_ADVICE = (
    f"Use a multilingual model, such as {' or '.join(f'aimlapi:{name}' for name in MULTILINGUAL)}; without one, see "
    'whether words help: --features both (features="both").'
)


def warn_of_languages(texts: Sequence[str], embedder: Embedder, recipe: Recipe) -> None:
    """Log a warning if texts are in another language than an embedder knows, unless words are used in any case."""
    if not embedder.knows_only_english or recipe.features in ("both", "words"):
        return
    if found := notable_languages(texts):
        languages = ", ".join(map(shown_language, found))
        logger.warning("%s, which the embedder was not made for. %s", languages, MULTILINGUAL_ADVICE)
