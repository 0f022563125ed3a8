"""Metrics of a service, for Prometheus: of this process, or of all that share ``PROMETHEUS_MULTIPROC_DIR``."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from embedclf.errors import OutputError
from embedclf.service.reloading import CurrentModel
from embedclf.service.window_metrics import WindowMetrics, is_unknown

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096)
# prometheus-client decides when it is imported whether its counts are in files, so this is asked then, too.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SHARED = os.environ.get(_VARIABLE)


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
        self._waiting = self._gauge("embedclf_waiting_requests", "Requests waiting for an embedding call.", "livesum")
        self._in_flight = self._gauge("embedclf_requests_in_hand", "Requests to /predict in flight.", "livesum")
        self._sent = Counter("embedclf_embedding_requests", "Requests to the embedder.", registry=registry)
        self._tokens = Counter("embedclf_tokens", "Billed tokens.", registry=registry)
        self._cached = Counter("embedclf_cached_texts", "Texts found in the cache.", registry=registry)
        about = "Embedding cost that the server says it charged; the rest of embedclf_dollars is estimated."
        self._charged = Counter("embedclf_charged_dollars", about, registry=registry)
        self._dollars: Counter | None = None
        about = "When the model in use was loaded, in seconds since 1970."
        self._loaded = self._gauge("embedclf_model_loaded_timestamp_seconds", about, "livemax")
        self._model = Gauge(
            "embedclf_model_info",
            "The model file in use.",
            ["file", "sha256"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._window = WindowMetrics(registry)
        self._reloads: Counter | None = None
        self._watched: list[tuple[CurrentModel, Callable[[], int]]] = []
        self._known: dict[Counter, float] = {}
        self._in_use: set[tuple[str, str]] = set()

    def watch(self, current: CurrentModel, *, in_flight: Callable[[], int]) -> None:
        """Include the model in use, what its embedder has spent, and how many requests wait and are in flight."""
        self._watched.append((current, in_flight))
        if current.can_reload and self._reloads is None:
            self._reloads = Counter(
                "embedclf_reloads", "Reloads of the model file.", ["result"], registry=self._registry
            )
        self._note_spending()  # so that what was spent before a fork is not counted again in each child

    def record(self, path: str, status: int, seconds: float) -> None:
        """Record an answered request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        self.note_change()

    def note_change(self) -> None:
        """Let the other processes know what is watched here; without any, it is enough to look when asked."""
        if _SHARED is not None:
            self._note(at_once=False)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self._note(at_once=True)
        source: Collector | CollectorRegistry = self._registry
        if _SHARED is not None:
            _forget_ended(_SHARED)
            source = MultiProcessCollector(None, _SHARED)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        registry.register(_Known(source))
        return generate_latest(registry)

    def _gauge(self, name: str, about: str, of_processes: str) -> Gauge:
        return Gauge(name, about, registry=self._registry, multiprocess_mode=of_processes)  # type: ignore[arg-type]

    def _note(self, *, at_once: bool) -> None:
        """Write down what is watched; what takes longer, only now and then unless it is wanted at once."""
        self._note_spending()
        if self._watched:
            self._window.note(self._watched[-1][0].served.window, at_once=at_once)
        models = [current for current, _ in self._watched]
        self._waiting.set(sum(current.n_waiting for current in models))
        self._in_flight.set(sum(in_flight() for _, in_flight in self._watched))
        self._loaded.set(max((current.served.loaded for current in models), default=0))
        in_use = {
            (version.name, version.sha256) for current in models if (version := current.served.version) is not None
        }
        for names in in_use:
            self._model.labels(*names).set(1)
        for names in self._in_use - in_use:
            if _SHARED is None:
                self._model.remove(*names)
            else:  # nothing can be removed from the files
                self._model.labels(*names).set(0)
        self._in_use = in_use
        if self._reloads is not None:
            self._raise_to(self._reloads.labels("loaded"), sum(current.n_reloads for current in models))
            self._raise_to(self._reloads.labels("failed"), sum(current.n_failed for current in models))

    def _note_spending(self) -> None:
        used = [embedder.usage for current, _ in self._watched for embedder in current.embedders]
        self._raise_to(self._sent, sum(usage.requests for usage in used))
        self._raise_to(self._tokens, sum(usage.tokens for usage in used))
        self._raise_to(self._cached, sum(usage.from_cache for usage in used))
        self._raise_to(self._charged, sum(usage.charged_dollars for usage in used))
        if dollars := [usage.dollars for usage in used if usage.dollars is not None]:
            if self._dollars is None:
                about = "Embedding cost: as charged, and estimated where the server does not say."
                self._dollars = Counter("embedclf_dollars", about, registry=self._registry)
            self._raise_to(self._dollars, sum(dollars))

    def _raise_to(self, counter: Counter, total: float) -> None:
        """Count what has been added since: a counter must not fall, and others may have added to it in its file."""
        if (added := total - self._known.get(counter, 0)) > 0:
            counter.inc(added)
            self._known[counter] = total


def open_metrics() -> Metrics:
    """Return the metrics for a new application: of its own, or those of this process if they are shared in files.

    Raises
    ------
    OutputError
        If the folder for the files cannot be made.
    """
    if _SHARED is None:
        return Metrics()
    try:
        Path(_SHARED).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make the folder of {_VARIABLE}, {_SHARED}: {error.strerror}"
        raise OutputError(reason, path=_SHARED) from error
    return _of_this_process()


@cache
def _of_this_process() -> Metrics:
    # A process has one file for its counts, in which a second counter of the same name would overwrite the first.
    return Metrics()


class _Known(Collector):
    """What is known of a source: of files that several processes share, as far as it is ours."""

    def __init__(self, source: Collector | CollectorRegistry) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        for metric in self._source.collect():
            if metric.name == "embedclf_model_info":
                metric.samples = [sample for sample in metric.samples if sample.value]
            metric.samples = [sample for sample in metric.samples if not is_unknown(sample.value)]
            if metric.name.startswith("embedclf_"):
                yield metric


def _forget_ended(folder: str) -> None:
    """Remove the gauges of processes that have ended; their counts stay, since a sum must not fall."""
    for pid in {path.stem.rpartition("_")[2] for path in Path(folder).glob("gauge_live*.db")}:
        if pid.isdigit() and not _is_alive(int(pid)):
            with suppress(FileNotFoundError):  # another process was faster
                mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
