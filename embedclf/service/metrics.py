"""Metrics of a service, for Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from embedclf.embedding.base import Embedder

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096)


class Metrics:
    """The metrics of one application, in a separate registry.

    Parameters
    ----------
    embedder : Embedder
        The embedder whose requests, tokens and dollars are included.

    Attributes
    ----------
    texts : Counter
        Texts by result: labelled, abstained, refused.
    batches : Histogram
        Texts per embedding call.
    failures : Counter
        Failed embedding calls.
    """

    def __init__(self, embedder: Embedder) -> None:
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
        registry.register(_Spending(embedder))

    def watch(self, *, waiting: Callable[[], int], in_flight: Callable[[], int]) -> None:
        """Set the functions that return the number of requests waiting for an embedding call, and of all in flight."""
        self._waiting.set_function(waiting)
        self._in_flight.set_function(in_flight)

    def record(self, path: str, status: int, seconds: float) -> None:
        """Record an answered request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Spending(Collector):
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def collect(self) -> Iterator[Metric]:
        usage = self._embedder.usage
        yield CounterMetricFamily("embedclf_embedding_requests", "Requests to the embedder.", value=usage.requests)
        yield CounterMetricFamily("embedclf_tokens", "Billed tokens.", value=usage.tokens)
        yield CounterMetricFamily("embedclf_cached_texts", "Texts found in the cache.", value=usage.from_cache)
        if usage.dollars is not None:
            yield CounterMetricFamily("embedclf_dollars", "Estimated embedding cost.", value=usage.dollars)
