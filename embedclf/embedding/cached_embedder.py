"""Embedding with deduplication and a cache: only unique texts that are not cached reach the model."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.base import EmbedderSpec, PartialEmbedder
from embedclf.embedding.batch_embedder import Batch, BatchEmbedder
from embedclf.embedding.budget import check_cost, is_in_parts
from embedclf.embedding.cache.keys import Keys, hash_texts
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.charges import Price
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.ledger import Account
from embedclf.embedding.long_texts import embed_any_length
from embedclf.embedding.shared_spending import BEFORE, SharedSpending, SpentPart, total_of
from embedclf.embedding.single_flight import SingleFlight
from embedclf.embedding.storing import Keep, StoringEmbedder
from embedclf.embedding.tasks import check_prompt
from embedclf.embedding.tracing import Origin
from embedclf.embedding.unique_texts import UniqueTexts
from embedclf.embedding.usage import Estimate, OnEvent, Progress, Usage, about_tokens
from embedclf.embedding.vector_rows import VectorRows, blocks_of, scale
from embedclf.errors import EmbedderError
from embedclf.formatting import counted
from embedclf.phases import Phase, phase
from embedclf.validation import text_fault

logger = logging.getLogger(__name__)

_TEXTS_AT_ONCE = 4_096


class CachedEmbedder(PartialEmbedder):
    """Embeds each distinct text only once with a `BatchEmbedder`, and never again if there is a cache.

    Parameters
    ----------
    behind : BatchEmbedder
        The model.
    dimensions : int, optional
        Length to cut the vectors to before rescaling them to unit length; None leaves them unchanged.
    cache : VectorCache, optional
        None disables caching.
    on_event : callable, optional
        Called with a `Progress` as texts are embedded, from any thread but never from two at once.
    prompt : str, optional
        An instruction to put before each text that the model gets, as it is; None or "" puts nothing.
    origin : Origin, optional
        Where its requests come from; None is this process.

    Raises
    ------
    EmbedderError
        If the model does not support the dimensions, or the prompt is not valid Unicode.
    """

    def __init__(
        self,
        behind: BatchEmbedder,
        *,
        dimensions: int | None = None,
        cache: VectorCache | None = None,
        on_event: OnEvent | None = None,
        prompt: str | None = None,
        origin: Origin | None = None,
    ) -> None:
        full = behind.spec.dimensions
        if dimensions is not None and full is not None and dimensions != full:
            if not behind.shortens:
                raise EmbedderError(f"{behind.spec} supports only {full} dimensions: its vectors cannot be shortened")
            if not 0 < dimensions < full:
                raise EmbedderError(f"{behind.spec} supports 1 to {full:,} dimensions, got {dimensions:,}")
        self._behind = behind
        self._prompt = check_prompt(prompt) or ""
        self._cut = dimensions if dimensions != full else None
        self._cache = cache
        self._on_event = on_event
        self._origin = origin
        if origin is not None:
            behind.meter.trace.origin = origin
        self._part: ModelCache | None = None
        self._single_flight: SingleFlight | None = None
        self._account: Account | None = None
        if cache is not None:
            asked = behind.asked_dimensions
            spec = self._full_spec
            own = replace(spec, dimensions=None)
            # Where the length requested is that of the model itself, they are the same vectors.
            is_own = asked is None or cache.of_model(own).dimensions == asked
            self._part = cache.of_model(spec, None if is_own else asked)
            self._single_flight = SingleFlight(self._part)
            behind.meter.look_back = partial(cache.ledger.charges, behind.spec)
            self._account = Account(cache.ledger, behind.spec, behind.meter)
            self._account.record_at_exit_of(self)

    def __repr__(self) -> str:
        prompt = f", prompt={self._prompt!r}" if self._prompt else ""
        return f"CachedEmbedder({self._behind!r}, dimensions={self._cut}, cache={self._cache!r}{prompt})"

    def __getstate__(self) -> dict[str, Any]:
        # Also what skops stores; locks and counts are made anew.
        state = {"behind": self._behind, "dimensions": self._cut, "cache": self._cache}
        told = {"prompt": self._prompt or None, "origin": self._origin}
        return state | {name: value for name, value in told.items() if value is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        CachedEmbedder.__init__(self, **state)

    @property
    def spec(self) -> EmbedderSpec:
        """The model that its vectors come from; dimensions is None while unknown."""
        of = self._full_spec
        known = of.dimensions or (self._part.dimensions if self._part is not None else None)
        return replace(of, dimensions=self._cut or known)

    @property
    def _full_spec(self) -> EmbedderSpec:
        """The model at full length, with the prompt."""
        return replace(self._behind.spec, prompt=self._prompt or None)

    @property
    def usage(self) -> Usage:
        """What it has used since it was opened."""
        return self._behind.meter.usage

    @property
    def source(self) -> tuple[EmbedderSpec, int | None]:
        """What its vectors are cut from. Embedders with equal sources share cached vectors."""
        return replace(self._full_spec, dimensions=None), self._behind.asked_dimensions

    @property
    def is_local(self) -> bool:
        """Whether the model runs in this process."""
        return self._behind.is_local

    @property
    def max_concurrency(self) -> int | None:
        """The maximum number of concurrent requests; None if unknown."""
        return self._behind.max_concurrency

    @property
    def knows_only_english(self) -> bool:
        """Whether its vectors carry little meaning for texts in other languages."""
        return self._behind.knows_only_english

    def length_warning(self, text: str) -> str | None:
        """Return why a text may be too long for the model; see `Embedder.length_warning`."""
        return self._behind.length_warning(self._prompt + text)

    def uncached(self) -> "CachedEmbedder":
        """Return the same embedder without its cache."""
        return CachedEmbedder(self._behind, dimensions=self._cut, on_event=self._on_event, prompt=self._prompt)

    def warm_up(self) -> None:
        """Load what the first call would otherwise wait for, without sending anything."""
        self._behind.warm_up()

    @property
    def max_cost(self) -> float | None:
        """The spending limit in dollars; None if there is none."""
        return self._behind.max_cost

    @property
    def spent(self) -> float:
        """What was spent of the limit in dollars; see `Embedder.spent`."""
        return self._behind.spent

    def split(self, n: int) -> "CachedEmbedder":
        """Return the same embedder for each of n processes; see `Embedder.split`.

        Wherever it is sent, what it spends is entered as spent by this run.
        """
        return self._split(n)

    def _split(self, n: int, shared: SharedSpending | None = None) -> "CachedEmbedder":
        return CachedEmbedder(
            self._behind.split(n, shared),
            dimensions=self._cut,
            cache=self._cache,
            prompt=self._prompt,
            origin=self._behind.meter.trace.origin,
        )

    @contextmanager
    def sharing_limit(self, n: int, shared: SharedSpending) -> Iterator["CachedEmbedder"]:
        """Enter a block in which n processes spend of the same limit; yield the embedder to send to them."""
        before = SpentPart(spent=self._behind.spent)
        shared.start(before)
        try:
            yield self._split(n, shared)
        finally:
            spending = SpentPart(lost=(self._behind.max_cost or 0.0) - before.spent)  # unless it is known better
            with suppress(EmbedderError), shared.changing() as state:
                spending = total_of(state, without=BEFORE)
                spending.give_up()
            self._behind.note_elsewhere(spending)

    def quote(self, price: Price) -> None:
        """Go by a price that the server has named when estimating."""
        self._behind.meter.quoted = price

    def estimate(self, texts: Iterable[str], *, anew: bool = False) -> Estimate:
        """Estimate the tokens and cost of embedding texts, without sending anything or needing a key.

        Parameters
        ----------
        texts : iterable of str
            Texts that cannot be embedded are skipped.
        anew : bool
            Whether to ignore cached vectors.

        Raises
        ------
        EmbedderError
            If the model is no longer served, and not all vectors are cached.
        """
        n_texts, sizes = 0, []
        seen: set[tuple[int, int]] = set()
        usable = (text for text in texts if text_fault(text) is None)
        with phase("Estimating the cost", unit="text") as estimating:
            while part := list(islice(usable, _TEXTS_AT_ONCE)):
                n_texts += len(part)
                keys = hash_texts(part)
                new = []
                for place, key in enumerate(keys.tolist()):
                    if key not in seen:
                        seen.add(key)
                        new.append(place)
                cache = None if anew else self._part
                cached = [False] * len(new) if cache is None else cache.contains(keys[new])
                unseen = (part[place] for place, is_cached in zip(new, cached, strict=True) if not is_cached)
                sizes += [self._size_of(text) for text in unseen]
                estimating.reach(n_texts)
        if sizes and not anew:
            self._behind.check_usable()
        return self._behind.meter.estimate(sizes, texts=n_texts, unique=len(seen))

    def check_cost(self, estimate: Estimate) -> None:
        """Check that an estimated cost is within what is left of the spending limit.

        Raises
        ------
        MaxCostError
            If it exceeds the limit.
        """
        if self._behind.max_cost is not None:
            check_cost(estimate, self._behind.max_cost, self._behind.spent)

    def embed_usable(self, texts: list[str], faults: dict[int, str]) -> tuple[Vectors, dict[int, str]]:
        """Embed the texts that the model does not reject; see `PartialEmbedder.embed_usable`.

        Each batch is cached before its vectors are used.
        """
        given = UniqueTexts(texts, faults)
        try:
            vectors, refused = self._embed_unique(given)
        finally:
            if self._account is not None:
                self._account.record()
        reasons = dict(faults)
        if refused:
            reasons |= {index: refused[first] for index, first in enumerate(given.first.tolist()) if first in refused}
        if reasons:
            vectors[list(reasons)] = np.nan
        return vectors, dict(sorted(reasons.items()))

    def _embed_unique(self, given: UniqueTexts) -> tuple[Vectors, dict[int, str]]:
        """Return the vectors of all texts, and the reasons for rejected texts by the index of their first occurrence.

        Rows of texts without a vector are undefined.
        """
        n_texts, n_unique = len(given.texts), len(given.unique)
        keys = hash_texts(given.unique) if self._part is not None else None
        found, vectors = self._read_cache(given, keys)
        missing = np.flatnonzero(~found[given.firsts])
        meter = self._behind.meter
        meter.add(texts=n_texts, from_cache=n_unique - len(missing), duplicates=int(given.is_repeated.sum()))
        refused: dict[int, str] = {}
        if len(missing):
            sizes = (self._size_of(given.unique[number]) for number in missing)
            if not (is_in_parts() and self._behind.spent):
                self.check_cost(meter.estimate(sizes, texts=n_texts, unique=n_unique))
            rows = VectorRows(vectors, n_texts, self._cut, str(self.spec))
            refused = self._embed_missing(given, missing, keys, rows)
            vectors = rows.vectors
        from_cache = np.flatnonzero(found[given.firsts])
        meter.add(saved_tokens=sum(about_tokens(self._size_of(given.unique[number])) for number in from_cache))
        if vectors is None:  # no text has a vector
            return np.full((n_texts, self.spec.dimensions or 0), np.nan, dtype=np.float32), refused
        for repeats in blocks_of(np.flatnonzero(~found & given.is_repeated)):
            vectors[repeats] = vectors[given.first[repeats]]
        return vectors, refused

    def _read_cache(self, given: UniqueTexts, keys: Keys | None) -> tuple[npt.NDArray[np.bool_], Vectors | None]:
        """Read the cached vectors of all texts, including repetitions.

        Parameters
        ----------
        given : UniqueTexts
        keys : ndarray of shape (n_unique,) or None

        Returns
        -------
        found : ndarray of shape (n_texts,), bool
        vectors : ndarray of shape (n_texts, n_dimensions), float32, or None
            None if no text is cached.
        """
        if self._part is None or keys is None or not len(keys):
            return np.zeros(len(given.texts), dtype=bool), None
        found, vectors = self._part.read(keys[given.of_unique()], self._cut)
        if vectors is not None and self._cut is not None:
            scale(vectors, np.flatnonzero(found))
        return found, vectors

    def _embed_missing(
        self, given: UniqueTexts, missing: npt.NDArray[np.intp], keys: Keys | None, rows: VectorRows
    ) -> dict[int, str]:
        """Embed the texts that are not cached, and report progress.

        Parameters
        ----------
        given : UniqueTexts
        missing : ndarray of shape (n_missing,)
            The indices of unique texts that are not cached.
        keys : ndarray of shape (n_unique,) or None
        rows : VectorRows
            Receives each text's vector in the row of its first occurrence.

        Returns
        -------
        dict of int to str
            Why texts were rejected, by the index of their first occurrence.
        """
        places, total = given.firsts[missing], len(given.unique)
        lock = ForkSafeLock()

        def keep(batch: Batch) -> None:
            rows.fill(places[batch.places], batch.vectors)
            with lock:
                self._report(embedding, embedding.done + len(batch.places), total)

        with phase("Embedding", total, "text", done=total - len(missing)) as embedding:
            self._report(embedding, embedding.done, total)
            texts = [given.unique[number] for number in missing]
            # Single flight passes vectors on through the cache, so it needs a writable one.
            if keys is not None and self._single_flight is not None and self._part is not None and self._part.writable:
                refused = self._single_flight.embed(texts, keys[missing], keep, self._send)
            else:
                refused = self._send(texts, None if keys is None else keys[missing], keep)
            self._report(embedding, total, total)
        return {int(places[number]): reason for number, reason in refused.items()}

    def _send(self, texts: Sequence[str], keys: Keys | None, keep: Keep) -> dict[int, str]:
        """Embed distinct texts of any length, storing each batch before it is kept; return why texts were rejected."""
        storing = StoringEmbedder(self._behind, self._part, self._prompt)
        try:
            refused, n_cut = embed_any_length(storing, texts, keys, keep)
        except EmbedderError as error:
            if storing.has_stored:
                error.args = (f"{error}; results received before are in the cache",)
            raise
        if n_cut:
            logger.info(
                "%s longer than %s accepts: embedded in pieces and averaged, weighted by length.",
                f"{counted(n_cut, 'text')} {'is' if n_cut == 1 else 'are'}",
                self._behind.spec.model,
            )
        return refused

    def _size_of(self, text: str) -> int:
        """Return the bytes that are sent of a text."""
        return len(text.encode()) + len(self._prompt.encode())

    def _report(self, embedding: Phase, done: int, total: int) -> None:
        in_flight, usage = self._behind.in_flight, self.usage
        embedding.reach(done)
        sent = f"{in_flight} in flight" if in_flight else ""
        embedding.remarks = tuple(filter(None, [sent, usage.shown_cost if usage.dollars else ""]))
        if self._on_event is not None:
            self._on_event(Progress(done, total, in_flight, usage.dollars))
