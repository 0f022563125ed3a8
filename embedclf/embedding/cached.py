"""Every text embedded once: unique texts, those in the cache, and only the rest from the embedder behind it."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.embedding import Batch, BatchEmbedder, EmbedderSpec, Vectors
from embedclf.embedding.cache import ModelCache, VectorCache, blocks_of, hash_texts
from embedclf.embedding.forks import ForkSafeLock
from embedclf.embedding.ledger import Account
from embedclf.embedding.usage import Estimate, OnEvent, Progress, Usage, about_tokens, check_cost
from embedclf.errors import EmbedderError, TextError
from embedclf.texts import check_texts, list_of_strings, text_fault, text_faults

_PART_TEXTS = 4_096


class CachedEmbedder:
    """Embeds texts with a `BatchEmbedder`, each distinct text once, and with a cache never again.

    Parameters
    ----------
    behind : BatchEmbedder
    dimensions : int, optional
        Length that the vectors are cut to, and scaled to unit length again; None leaves them as they are.
    cache : VectorCache, optional
        None keeps nothing.
    on_event : callable, optional
        Is given a `Progress` whenever some texts are done, from any thread, but never from two at once.

    Raises
    ------
    EmbedderError
        If the embedder has no vectors of that length.
    """

    def __init__(
        self,
        behind: BatchEmbedder,
        *,
        dimensions: int | None = None,
        cache: VectorCache | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        full = behind.spec.dimensions
        if dimensions is not None and full is not None and dimensions != full:
            if not behind.shortens:
                raise EmbedderError(f"{behind.spec} has vectors of {full} dimensions, which cannot be shortened")
            if not 0 < dimensions < full:
                raise EmbedderError(f"{behind.spec} has vectors of 1 to {full:,} dimensions, not of {dimensions:,}")
        self._behind = behind
        self._cut = dimensions if dimensions != full else None
        self._cache = cache
        self._on_event = on_event
        self._part: ModelCache | None = None
        self._account: Account | None = None
        if cache is not None:
            self._part = cache.of_model(behind.spec, behind.asked_dimensions)
            self._account = Account(cache.ledger, behind.spec, behind.meter)
            self._account.enter_with(self)

    def __repr__(self) -> str:
        return f"CachedEmbedder({self._behind!r}, dimensions={self._cut}, cache={self._cache!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self._behind, self._cut, self._cache)

    @property
    def spec(self) -> EmbedderSpec:
        """What tells its vectors apart; without dimensions while they are not known."""
        of = self._behind.spec
        return EmbedderSpec(of.provider, of.model, self._cut or of.dimensions, of.endpoint)

    @property
    def usage(self) -> Usage:
        """What it has taken since it was opened."""
        return self._behind.meter.usage

    def estimate(self, texts: Iterable[str]) -> Estimate:
        """Estimate what it takes to embed texts. Nothing is sent, and no key is needed.

        Parameters
        ----------
        texts : iterable of str
            Those that cannot be embedded are passed over.
        """
        n_texts, sizes = 0, []
        seen: set[tuple[int, int]] = set()
        usable = (text for text in texts if text_fault(text) is None)
        while part := list(islice(usable, _PART_TEXTS)):
            n_texts += len(part)
            keys = hash_texts(part)
            new = []
            for place, key in enumerate(keys.tolist()):
                if key not in seen:
                    seen.add(key)
                    new.append(place)
            there = self._part.contains(keys[new]) if self._part is not None else [False] * len(new)
            sizes += [len(part[place].encode()) for place, is_there in zip(new, there, strict=True) if not is_there]
        return self._behind.meter.estimate(sizes, texts=n_texts, unique=len(seen))

    def check_cost(self, estimate: Estimate) -> None:
        """See that an estimate is within what it may still spend.

        Raises
        ------
        MaxCostError
            If it is not.
        """
        if self._behind.max_cost is not None:
            check_cost(estimate, self._behind.max_cost, self._behind.meter)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`.

        A batch that is answered is in the cache before its vectors are used.
        """
        vectors, reasons = self.embed_usable(check_texts(texts))
        if reasons:
            raise TextError(reasons)
        return vectors

    def embed_usable(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be; see the function `embed_usable`."""
        texts = list_of_strings(texts, "texts")
        reasons = text_faults(texts)
        firsts: dict[str, int] = {}
        for index, text in enumerate(texts):
            if index not in reasons:
                firsts.setdefault(text, index)
        first = np.array([index if index in reasons else firsts[text] for index, text in enumerate(texts)], dtype=int)
        distinct = np.fromiter(firsts.values(), dtype=int, count=len(firsts))
        try:
            out, refused = self._embed_distinct(texts, firsts, first, distinct)
        finally:
            if self._account is not None:
                self._account.enter()
        reasons |= {index: refused[place] for index, place in enumerate(first.tolist()) if place in refused}
        if reasons:
            out[list(reasons)] = np.nan
        return out, dict(sorted(reasons.items()))

    def _embed_distinct(
        self, texts: list[str], firsts: dict[str, int], first: npt.NDArray[Any], distinct: npt.NDArray[Any]
    ) -> tuple[Vectors, dict[int, str]]:
        """Fill the rows of all texts from those that stand first among equals.

        Parameters
        ----------
        texts : list of str, of length n
        firsts : dict of str to int
            Where each distinct text stands first.
        first : ndarray of shape (n,)
            The same for each text.
        distinct : ndarray of shape (n_distinct,)
            The values of `firsts`.
        """
        meter = self._behind.meter
        found, out = np.zeros(len(texts), dtype=bool), None
        keys = hash_texts(list(firsts)) if self._part is not None else None
        if self._part is not None and keys is not None and len(keys):
            of_text = np.zeros(len(texts), dtype=int)
            of_text[distinct] = np.arange(len(distinct))
            found, out = self._part.read(keys[of_text[first]], self._cut)
            if out is not None and self._cut is not None:
                _scale(out, np.flatnonzero(found))
        missing = np.flatnonzero(~found[distinct])
        places = distinct[missing]
        had = len(distinct) - len(missing)
        spared = sum(about_tokens(len(texts[place].encode())) for place in distinct[found[distinct]])
        repeated = int((first != np.arange(len(texts))).sum())
        meter.add(texts=len(texts), from_cache=had, duplicates=repeated, saved_tokens=spared)
        refused: dict[int, str] = {}
        if len(missing):
            sizes = (len(texts[place].encode()) for place in places)
            self.check_cost(meter.estimate(sizes, texts=len(texts), unique=len(distinct)))
            pool = _Pool(out, len(texts), self._cut, str(self.spec))
            done = had
            lock = ForkSafeLock()

            def keep(batch: Batch) -> None:
                nonlocal done
                if self._part is not None and keys is not None:
                    self._part.write(keys[missing[batch.places]], batch.vectors, batch.n_tokens)
                pool.fill(places[batch.places], batch.vectors)
                with lock:
                    done += len(batch.places)
                    self._tell(done, len(distinct))

            self._tell(done, len(distinct))
            by_number = self._behind.embed_batches([texts[place] for place in places], keep)
            refused = {int(places[number]): reason for number, reason in by_number.items()}
            out = pool.rows
        if out is None:  # there is not one vector
            return np.full((len(texts), self.spec.dimensions or 0), np.nan, dtype=np.float32), refused
        repeats = np.flatnonzero(~found & (first != np.arange(len(texts))))
        for rows in blocks_of(repeats):
            out[rows] = out[first[rows]]
        return out, refused

    def _tell(self, done: int, total: int) -> None:
        if self._on_event is not None:
            self._on_event(Progress(done, total, self._behind.in_flight, self.usage.dollars))


class _Pool:
    """The rows that several threads fill; made as soon as their length is known."""

    def __init__(self, rows: Vectors | None, n_rows: int, cut: int | None, name: str) -> None:
        self.rows = rows
        self._n_rows = n_rows
        self._cut = cut
        self._name = name
        self._making = ForkSafeLock()

    def fill(self, places: npt.NDArray[Any], vectors: Vectors) -> None:
        """Put vectors at their places, cut to their length."""
        if self._cut is not None:
            vectors = vectors[:, : self._cut].copy()
            _scale(vectors, np.arange(len(vectors)))
        with self._making:
            if self.rows is None:
                self.rows = np.empty((self._n_rows, vectors.shape[1]), dtype=np.float32)
        if vectors.shape[1] != self.rows.shape[1]:
            raise EmbedderError(
                f"{self._name} answered with {vectors.shape[1]} dimensions where the cache has {self.rows.shape[1]}: "
                "it is not the model that it was; empty the cache with: embedclf cache clear"
            )
        self.rows[places] = vectors


def _remake(behind: BatchEmbedder, cut: int | None, cache: VectorCache | None) -> CachedEmbedder:
    return CachedEmbedder(behind, dimensions=cut, cache=cache)


def _scale(vectors: Vectors, rows: npt.NDArray[Any]) -> None:
    """Scale some rows to unit length, in place."""
    for block in blocks_of(rows):
        chosen = vectors[block]
        lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen))[:, None]
        if not lengths.all():
            raise EmbedderError("a vector is zero after it was cut: use more dimensions")
        vectors[block] = chosen / lengths
