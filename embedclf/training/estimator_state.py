"""Storing estimators in files that run no code when they are loaded, such as those of skops.

A pickle holds everything, embedder included. What is stored here is plain values and arrays: the parameters, the
tensors and the card of a model file, and *which* embedder made the vectors. The embedder is opened again on loading,
under the rules of `embedclf.load`: no address from the file is called, no package is loaded because the file names it,
and no object that may hold a key is stored.
"""

import logging
from collections.abc import Callable
from typing import Any

from embedclf.classifier.loading import open_as_trained
from embedclf.classifier.model_file import model_parts, parse_parts
from embedclf.embedding.base import EXTERNAL, Embedder, EmbedderSpec

logger = logging.getLogger(__name__)


class StoredEstimator:
    """An estimator with a parameter `embedder` and, once fitted, attributes `embedder_`, `model_` and `_card`."""

    embedder: Any
    embedder_: Embedder
    _settings: Any
    _trained_with: dict[str, Any]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # For pickle and copy, which would otherwise use `__getstate__`, too.
        return _remake, (type(self), dict(vars(self)))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        state["embedder"] = _storable(self.embedder)
        if (opened := state.pop("embedder_", None)) is not None:
            state["_trained_with"] = opened.spec.to_dict()
        if "model_" in state:
            entry, tensors = model_parts(state["model_"], state.pop("_card"))
            state["model_"] = {"entry": entry, "tensors": tensors}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if (model := state.get("model_")) is not None:
            self.model_, self._card = parse_parts(model["entry"], model["tensors"], self._name)
        if (spec := state.get("_trained_with")) is not None and EmbedderSpec(**spec).is_enough:
            self._opened()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "embedder_") or hasattr(self, "_trained_with")

    def _opened(self) -> Embedder:
        """Return the embedder that it was fitted with; open it if the estimator was loaded from a file."""
        if not hasattr(self, "embedder_"):
            given = None if isinstance(self.embedder, str) else self.embedder
            self.embedder_ = open_as_trained(
                EmbedderSpec(**self._trained_with),
                given,
                self._name,
                how="pass it with set_params(embedder=…)",
                **({} if given is None else {"cache_name": self._settings["cache_name"]}),
                cache=self._settings["cache"],
            )
        return self.embedder_

    @property
    def _name(self) -> str:
        return f"this {type(self).__name__}"


def _remake(kind: type[StoredEstimator], state: dict[str, Any]) -> StoredEstimator:
    estimator = kind.__new__(kind)
    vars(estimator).update(state)
    return estimator


def _storable(embedder: Any) -> Any:
    """Return an embedder as it may be stored: a name, one of ours, or the name of one that must be passed again."""
    if embedder is None or isinstance(embedder, str):
        return embedder
    if isinstance(embedder, Embedder):
        if embedder.spec.is_enough:
            return embedder
        name = str(embedder.spec)
    else:
        name = f"{EXTERNAL}:{type(embedder).__name__}"
    logger.warning("the embedder %s is not stored: pass it with set_params(embedder=…) after loading", name)
    return name
