"""Every text embedded once: unique texts, those in the cache, and only the rest from the embedder behind it."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.embedding.base import Batch, BatchEmbedder, Embedder, EmbedderSpec, embed_all
from embedclf.embedding.budget import check_cost
from embedclf.embedding.cache.keys import Keys, hash_texts
from embedclf.embedding.cache.model_cache import ModelCache
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.fork_safe_lock import ForkSafeLock
from embedclf.embedding.ledger import Account
from embedclf.embedding.long_texts import cut
from embedclf.embedding.requests.cancellation import SECONDS_A_LOOK, see_that_it_goes_on
from embedclf.embedding.single_flight import Claims
from embedclf.embedding.usage import Estimate, OnEvent, Progress, Usage, about_tokens
from embedclf.errors import EmbedderError
from embedclf.formatting import counted
from embedclf.validation import list_of_strings, text_fault, text_faults

logger = logging.getLogger(__name__)

_PART_TEXTS = 4_096


class CachedEmbedder(Embedder):
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
        self._claims = Claims()
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
        known = of.dimensions or (self._part.dimensions if self._part is not None else None)
        return EmbedderSpec(of.provider, of.model, self._cut or known, of.endpoint)

    @property
    def usage(self) -> Usage:
        """What it has taken since it was opened."""
        return self._behind.meter.usage

    @property
    def source(self) -> tuple[EmbedderSpec, int | None]:
        """What its vectors are cut from: embedders of the same source share them in a cache."""
        return replace(self._behind.spec, dimensions=None), self._behind.asked_dimensions

    @property
    def is_local(self) -> bool:
        """Whether the model runs in this process."""
        return self._behind.is_local

    @property
    def max_concurrency(self) -> int | None:
        """The most requests in flight at once; None if that is not known."""
        return self._behind.max_concurrency

    def length_warning(self, text: str) -> str | None:
        """Say why a text may be too long for the model; see `Embedder.length_warning`."""
        return self._behind.length_warning(text)

    def uncached(self) -> "CachedEmbedder":
        """Return the same embedder without its cache."""
        return CachedEmbedder(self._behind, dimensions=self._cut)

    def warm_up(self) -> None:
        """Load what the first call would have to wait for. Nothing is sent."""
        self._behind.warm_up()

    def split(self, n: int) -> "CachedEmbedder":
        """Return the same embedder with an n-th of its requests; see `Embedder.split`.

        Raises
        ------
        EmbedderError
            If it has a limit in dollars, which the processes could not hold together.
        """
        if self._behind.max_cost is not None:
            raise EmbedderError("--max-cost (max_cost) cannot be held by several processes, which spend side by side")
        return CachedEmbedder(self._behind.split(n), dimensions=self._cut, cache=self._cache)

    def estimate(self, texts: Iterable[str], *, anew: bool = False) -> Estimate:
        """Estimate what it takes to embed texts. Nothing is sent, and no key is needed.

        Parameters
        ----------
        texts : iterable of str
            Those that cannot be embedded are passed over.
        anew : bool
            Whether to estimate as if nothing were cached.
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
            cache = None if anew else self._part
            there = [False] * len(new) if cache is None else cache.contains(keys[new])
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
        return embed_all(self, texts)

    def embed_partial(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        """Embed those texts that can be embedded; see `Embedder.embed_partial`."""
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
        repeated = int((first != np.arange(len(texts))).sum())
        meter.add(texts=len(texts), from_cache=had, duplicates=repeated)
        refused: dict[int, str] = {}
        if len(missing):
            sizes = (len(texts[place].encode()) for place in places)
            self.check_cost(meter.estimate(sizes, texts=len(texts), unique=len(distinct)))
            pool = _Pool(out, len(texts), self._cut, str(self.spec))
            done = had
            lock = ForkSafeLock()

            def keep(batch: Batch) -> None:
                nonlocal done
                pool.fill(places[batch.places], batch.vectors)
                with lock:
                    done += len(batch.places)
                    self._tell(done, len(distinct))

            self._tell(done, len(distinct))
            wanted = [texts[place] for place in places]
            by_number = self._embed_missing(wanted, None if keys is None else keys[missing], keep)
            refused = {int(places[number]): reason for number, reason in by_number.items()}
            self._tell(len(distinct), len(distinct))
            out = pool.rows
        meter.add(saved_tokens=sum(about_tokens(len(texts[place].encode())) for place in distinct[found[distinct]]))
        if out is None:  # there is not one vector
            return np.full((len(texts), self.spec.dimensions or 0), np.nan, dtype=np.float32), refused
        repeats = np.flatnonzero(~found & (first != np.arange(len(texts))))
        for rows in blocks_of(repeats):
            out[rows] = out[first[rows]]
        return out, refused

    def _embed_missing(self, texts: list[str], keys: Keys | None, keep: Callable[[Batch], None]) -> dict[int, str]:
        """Embed distinct texts that the cache had not: those that no other thread is at work on, and then the rest.

        Parameters
        ----------
        texts : list of str, of length n
        keys : ndarray of shape (n,) or None
            Of the texts; None without a cache.
        keep : callable
            Is given each batch, at full length, when it is in the cache.

        Returns
        -------
        dict of int to str
            Why some were refused.
        """
        if keys is None or self._part is None or not self._part.writable:
            # What is not kept is of no use to who waits for it.
            return self._embed_claimed(texts, keys, keep)
        refused: dict[int, str] = {}
        waiting = np.arange(len(texts))
        while len(waiting):
            with self._claims.of(keys["high"][waiting]) as (mine, others):
                # Others may have been done with some since the cache was read.
                chosen = self._taken_from_cache(waiting[mine], keys, keep)

                def keep_chosen(batch: Batch, chosen: npt.NDArray[np.intp] = chosen) -> None:
                    keep(batch._replace(places=chosen[batch.places]))

                if len(chosen):
                    mine_refused = self._embed_claimed([texts[place] for place in chosen], keys[chosen], keep_chosen)
                    refused |= {int(chosen[place]): reason for place, reason in mine_refused.items()}
            waiting = waiting[~mine]
            for other in others:
                # Theirs may be a long work, of which these are done early.
                while len(waiting) and not other.wait(SECONDS_A_LOOK):
                    see_that_it_goes_on()
                    waiting = self._taken_from_cache(waiting, keys, keep)
            # What another thread could not embed is asked for again, so that each learns the reason.
            waiting = self._taken_from_cache(waiting, keys, keep)
        return refused

    def _taken_from_cache(
        self, places: npt.NDArray[np.intp], keys: Keys, keep: Callable[[Batch], None]
    ) -> npt.NDArray[np.intp]:
        """Keep what the cache has now of some texts, by their places; gives the places of the others."""
        if self._part is None or not len(places):
            return places
        found, vectors = self._part.read(keys[places])
        if vectors is not None and found.any():
            keep(Batch(places[found], vectors[found], 0))
        return places[~found]

    def _embed_claimed(
        self,
        texts: list[str],
        keys: Keys | None,
        keep: Callable[[Batch], None],
        written: list[bool] | None = None,
    ) -> dict[int, str]:
        """Embed distinct texts, those that are too long in pieces; see `_embed_missing`.

        Of pieces, `written` notes whether they are in the cache; None is for whole texts, which are told about.
        """
        whole = written is None
        written = [] if written is None else written

        def store(batch: Batch) -> None:
            if self._part is not None and keys is not None:
                _see_length(self._part.dimensions, batch.vectors.shape[1], str(self.spec))
                written.append(self._part.write(keys[batch.places], batch.vectors, batch.n_tokens))
            keep(batch)

        try:
            refused = self._behind.embed_batches(texts, store)
            too_long = {place: one.piece for place, one in sorted(refused.items()) if one.piece is not None}
            reasons = {place: one.reason for place, one in refused.items() if one.piece is None}
            for place, answer in self._in_pieces(texts, too_long, written):
                if isinstance(answer, str):
                    reasons[place] = answer
                else:
                    store(Batch(np.array([place]), answer, 0))
        except EmbedderError as error:
            if any(written) and whole:
                error.args = (f"{error}; what was answered before is in the cache",)
            raise
        if whole and (n_cut := len(too_long.keys() - reasons.keys())):
            logger.info(
                "%s longer than %s takes: embedded in pieces, and averaged by their length.",
                f"{counted(n_cut, 'text')} {'is' if n_cut == 1 else 'are'}",
                self._behind.spec.model,
            )
        return reasons

    def _in_pieces(
        self, texts: list[str], too_long: dict[int, int], written: list[bool]
    ) -> Iterator[tuple[int, Vectors | str]]:
        """Embed some of the texts in pieces, which are texts like any other: sent together, kept, cut again.

        Parameters
        ----------
        texts : list of str
        too_long : dict of int to int
            Which of them, and how many bytes a piece may have.
        written : list of bool
            Gets whether pieces are in the cache.

        Yields
        ------
        place : int
        answer : ndarray of shape (1, n_dimensions) or str
            The mean of its pieces' vectors by their length, at unit length; or why a piece was refused.
        """
        left = deque(too_long)
        while left:
            rows: dict[str, int] = {}
            of_texts: list[tuple[int, list[int], list[int]]] = []
            while left and len(rows) < _PART_TEXTS:
                place = left.popleft()
                pieces = [piece for piece in cut(texts[place], too_long[place]) if text_fault(piece) is None]
                numbers = [rows.setdefault(piece, len(rows)) for piece in pieces]
                of_texts.append((place, numbers, [len(piece.encode()) for piece in pieces]))
            vectors, refused = self._at_full_length(list(rows), written)
            for place, numbers, sizes in of_texts:
                reason = next((refused[number] for number in numbers if number in refused), None)
                if reason is not None:
                    yield place, reason
                    continue
                total = np.array(sizes) @ vectors[numbers].astype(np.float64)
                length = np.linalg.norm(total)
                yield place, (total / length).astype(np.float32)[None, :] if length else "its pieces cancel each other"

    def _at_full_length(self, texts: list[str], written: list[bool]) -> tuple[Vectors, dict[int, str]]:
        """Embed pieces without cutting their vectors, and without counting them as texts that were asked for.

        Returns
        -------
        vectors : ndarray of shape (n_texts, n_dimensions), float32
        refused : dict of int to str
            Why some were refused.
        """
        keys, found, rows = None, np.zeros(len(texts), dtype=bool), None
        if self._part is not None:
            keys = hash_texts(texts)
            found, rows = self._part.read(keys)
        missing = np.flatnonzero(~found)
        pool = _Pool(rows, len(texts), None, str(self.spec))
        # Without a claim: it could be another's, who waits for one of this thread's own.
        refused = self._embed_claimed(
            [texts[place] for place in missing],
            None if keys is None else keys[missing],
            lambda batch: pool.fill(missing[batch.places], batch.vectors),
            written,
        )
        vectors = np.empty((len(texts), 0), dtype=np.float32) if pool.rows is None else pool.rows
        return vectors, {int(missing[place]): reason for place, reason in refused.items()}

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
        _see_length(self.rows.shape[1], vectors.shape[1], self._name)
        self.rows[places] = vectors


def _see_length(known: int | None, answered: int, name: str) -> None:
    if known is not None and answered != known:
        raise EmbedderError(
            f"{name} answered with {answered} dimensions, and before it had {known}: it is not the model that it was; "
            "if it has changed for good, what the cache has of it is of no use: embedclf cache clear"
        )


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


_BLOCK_ROWS = 4_096


def blocks_of(rows: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """Divide numbers of rows into blocks, so that what is made of a block's vectors takes little memory."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield rows[start : start + _BLOCK_ROWS]
