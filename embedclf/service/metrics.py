"""Metrics of a service, for Prometheus."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from embedclf.embedding.base import Embedder
from embedclf.service.reloading import CurrentModel

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096)


class Metrics:
    """The metrics of one application, in a separate registry.

    Attributes
    ----------
    texts : Counter
        Texts by result: labelled, abstained, refused.
    batches : Histogram
        Texts per embedding call.
    failures : Counter
        Failed embedding calls.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("embedclf_requests", "Answered requests.", ["path", "status"], registry=registry)
        self._seconds = Histogram(
            "embedclf_request_seconds", "Seconds per request.", ["path"], buckets=_SECONDS, registry=registry
        )
        self.texts = Counter("embedclf_texts", "Texts by result.", ["result"], registry=registry)
        for result in ("labelled", "abstained", "refused"):
            self.texts.labels(result)
        self.batches = Histogram("embedclf_batch_texts", "Texts per embedding call.", buckets=_TEXTS, registry=registry)
        self.failures = Counter("embedclf_failures", "Failed embedding calls.", registry=registry)
        self._waiting = Gauge("embedclf_waiting_requests", "Requests waiting for an embedding call.", registry=registry)
        self._in_flight = Gauge("embedclf_requests_in_hand", "Requests to /predict in flight.", registry=registry)

    def watch(self, current: CurrentModel, *, in_flight: Callable[[], int]) -> None:
        """Include the model in use, what its embedder has spent, and how many requests wait and are in flight."""
        self._waiting.set_function(lambda: current.n_waiting)
        self._in_flight.set_function(in_flight)
        self._registry.register(_Spending(lambda: current.embedders))
        self._registry.register(_Model(current))

    def record(self, path: str, status: int, seconds: float) -> None:
        """Record an answered request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Spending(Collector):
    """What the embedders used so far have spent: a counter must not fall when the model is replaced."""

    def __init__(self, embedders: Callable[[], Iterable[Embedder]]) -> None:
        self._embedders = embedders

    def collect(self) -> Iterator[Metric]:
        used = [embedder.usage for embedder in self._embedders()]
        for name, about, total in (
            ("embedclf_embedding_requests", "Requests to the embedder.", sum(usage.requests for usage in used)),
            ("embedclf_tokens", "Billed tokens.", sum(usage.tokens for usage in used)),
            ("embedclf_cached_texts", "Texts found in the cache.", sum(usage.from_cache for usage in used)),
        ):
            yield CounterMetricFamily(name, about, value=total)
        if dollars := [usage.dollars for usage in used if usage.dollars is not None]:
            yield CounterMetricFamily("embedclf_dollars", "Estimated embedding cost.", value=sum(dollars))


class _Model(Collector):
    """Which model is in use, and since when."""

    def __init__(self, current: CurrentModel) -> None:
        self._current = current

    def collect(self) -> Iterator[Metric]:
        served = self._current.served
        loaded = "When the model in use was loaded, in seconds since 1970."
        yield GaugeMetricFamily("embedclf_model_loaded_timestamp_seconds", loaded, value=served.loaded)
        if served.version is not None:
            about = {"file": served.version.name, "sha256": served.version.sha256}
            yield InfoMetricFamily("embedclf_model", "The model file in use.", value=about)
            reloads = CounterMetricFamily("embedclf_reloads", "Reloads of the model file.", labels=["result"])
            reloads.add_metric(["loaded"], self._current.n_reloads)
            reloads.add_metric(["failed"], self._current.n_failed)
            yield reloads
