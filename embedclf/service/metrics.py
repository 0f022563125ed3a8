"""What a service counts, for Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from embedclf.embedding.base import Embedder

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096)


class Counters:
    """The counts of one application, in a registry of its own.

    Parameters
    ----------
    embedder : Embedder
        Whose tokens and dollars are told, if it counts them.
    waiting, in_hand : callable
        Give the requests that wait for an embedding call, and all that are in hand.
    """

    def __init__(self, embedder: Embedder, waiting: Callable[[], int], in_hand: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("embedclf_requests", "Requests answered.", ["path", "status"], registry=registry)
        self._seconds = Histogram(
            "embedclf_request_seconds", "From a request to its answer.", ["path"], buckets=_SECONDS, registry=registry
        )
        self.texts = Counter("embedclf_texts", "Texts by what came of them.", ["result"], registry=registry)
        for result in ("labelled", "abstained", "refused"):
            self.texts.labels(result)
        self.batches = Histogram(
            "embedclf_batch_texts", "Texts of one embedding call.", buckets=_TEXTS, registry=registry
        )
        self.failures = Counter("embedclf_failures", "Embedding calls that failed.", registry=registry)
        Gauge("embedclf_waiting_requests", "Requests that wait for an embedding call.", registry=registry).set_function(
            waiting
        )
        Gauge("embedclf_requests_in_hand", "Requests to /predict that are in hand.", registry=registry).set_function(
            in_hand
        )
        registry.register(_Spent(embedder))

    def note(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def page(self) -> bytes:
        """Give all counts as Prometheus reads them."""
        return generate_latest(self._registry)


class _Spent(Collector):
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def collect(self) -> Iterator[Metric]:
        usage = self._embedder.usage
        yield CounterMetricFamily("embedclf_embedding_requests", "Requests to the embedder.", value=usage.requests)
        yield CounterMetricFamily("embedclf_tokens", "Tokens that were paid for.", value=usage.tokens)
        yield CounterMetricFamily("embedclf_cached_texts", "Texts found in the cache.", value=usage.from_cache)
        if usage.dollars is not None:
            yield CounterMetricFamily("embedclf_dollars", "About what they cost.", value=usage.dollars)
