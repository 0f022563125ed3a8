"""Gauges of the answers to the last texts, beside those of the reference: the texts held out in training."""

import math
import time
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Gauge

from embedclf.classifier.reference import LEVELS, Measures, quantile
from embedclf.service.answer_window import AnswerWindow

_SHOWN_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
# Each label is a series of its own, twice; a server of metrics should not have too many.
_MOST_LABELS = 200
# How often processes write their gauges for each other, at most.
_SECONDS = 1.0

_IN_WINDOW = {
    "embedclf_window_confidence": ("Quantiles of the confidence of the last texts.", ["quantile"]),
    "embedclf_window_energy": ("Quantiles of the energy of the last texts.", ["quantile"]),
    "embedclf_window_abstained_ratio": ("Share of the last texts that got no label.", []),
    "embedclf_window_label_ratio": ("Share of the last texts by label.", ["label"]),
    "embedclf_window_texts": ("Number of texts in the window, 1000 at most.", []),
    "embedclf_window_distance": (
        "Kolmogorov-Smirnov distance between the last texts and the texts held out in training.",
        ["measure"],
    ),
}
_AT_TRAINING = {
    "embedclf_training_confidence": ("Quantiles of the confidence of held-out texts.", ["quantile"]),
    "embedclf_training_energy": ("Quantiles of the energy of held-out texts.", ["quantile"]),
    "embedclf_training_abstained_ratio": ("Share of held-out texts that got no label.", []),
    "embedclf_training_label_ratio": ("Share of held-out texts by label.", ["label"]),
}

_Series = tuple[str, tuple[str, ...]]


class WindowMetrics:
    """The gauges of a window. A value that is not known is NaN, which `is_unknown` tells.

    Parameters
    ----------
    registry : CollectorRegistry
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges: dict[str, Gauge] = {}
        self._known: set[_Series] = set()
        self._noted = -math.inf
        for name, (about, labels) in _IN_WINDOW.items():
            self._gauges[name] = Gauge(name, about, labels, registry=registry, multiprocess_mode="liveall")
        for name, (about, labels) in _AT_TRAINING.items():
            self._gauges[name] = Gauge(name, about, labels, registry=registry, multiprocess_mode="livemostrecent")
        for name in ("embedclf_window_abstained_ratio", "embedclf_training_abstained_ratio"):
            self._gauges[name].set(math.nan)

    def note(self, window: AnswerWindow, *, at_once: bool) -> None:
        """Update the gauges; unless `at_once`, at most once a second."""
        now = time.monotonic()
        if not at_once and now - self._noted < _SECONDS:
            return
        self._noted = now
        values = dict(_values(window))
        # Nothing can be removed from the files of several processes.
        for (name, labels), value in [*values.items(), *((one, math.nan) for one in self._known - values.keys())]:
            gauge = self._gauges[name]
            (gauge.labels(*labels) if labels else gauge).set(value)
        self._known |= values.keys()


def is_unknown(value: float) -> bool:
    """Return whether the value of a gauge stands for nothing."""
    return math.isnan(value)


def _values(window: AnswerWindow) -> Iterator[tuple[_Series, float]]:
    figures, classes = window.figures(), window.classifier.classes
    reference = window.classifier.card.reference
    n = len(figures.measures.confidence)
    yield ("embedclf_window_texts", ()), n
    if n:
        for name, values in figures.measures._asdict().items():
            now = dict(zip(_SHOWN_LEVELS, quantile(values, _SHOWN_LEVELS), strict=True))
            yield from _quantiles(f"embedclf_window_{name}", now)
        yield ("embedclf_window_abstained_ratio", ()), 1 - figures.n_answered / n
        counts = [figures.of_labels[place] for place in range(len(classes))]
        yield from _shares("embedclf_window_label_ratio", classes, counts, n)
    if figures.shift is not None:
        yield ("embedclf_window_distance", ("confidence",)), figures.shift.confidence_distance
        yield ("embedclf_window_distance", ("energy",)), figures.shift.energy_distance
    if reference is not None:
        for name in Measures._fields:
            then = dict(zip(LEVELS, getattr(reference, name), strict=True))
            yield from _quantiles(f"embedclf_training_{name}", then)
        if reference.abstained is not None:
            yield ("embedclf_training_abstained_ratio", ()), reference.abstained
        if reference.labels is not None:
            yield from _shares("embedclf_training_label_ratio", classes, reference.labels, reference.n_examples)


def _quantiles(name: str, values: dict[float, float]) -> Iterator[tuple[_Series, float]]:
    for level in _SHOWN_LEVELS:
        yield (name, (f"{level:g}",)), values[level]


def _shares(name: str, classes: tuple[str, ...], counts: Sequence[int], n: int) -> Iterator[tuple[_Series, float]]:
    if len(classes) <= _MOST_LABELS:
        for label, count in zip(classes, counts, strict=True):
            yield (name, (label,)), count / n
