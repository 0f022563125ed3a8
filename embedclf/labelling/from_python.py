"""``embedclf.label``: a page to label texts from Python."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedclf.data.label_sets import AnyLabels, LabelSet
from embedclf.data_frames import DataFrame, data_frame
from embedclf.embedding.base import EmbedderLike
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.formatting import counted
from embedclf.labelling.opening import OrderName, open_session
from embedclf.labelling.output import test_set_beside
from embedclf.labelling.server import check_installed, serve
from embedclf.labelling.texts import corpus_of_texts


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts after a session of labelling: what `embedclf.label` returns.

    Attributes
    ----------
    texts : list of str
        All of them, labelled or not.
    labels : list of (str or tuple of str), with None
        Those of each text, a tuple where texts may have several; None if it has not been labelled.
    notes : list of str
        The note of each text; empty if there is none.
    is_test : list of bool
        Whether each text was drawn at random and labelled for the test set.
    """

    texts: list[str]
    labels: list[str | LabelSet | None]
    notes: list[str]
    is_test: list[bool]

    @property
    def training(self) -> tuple[list[str], list[str | LabelSet]]:
        """The labelled texts to train on, and their labels: ``embedclf.train(*labelled.training)``."""
        return self._part(is_test=False)

    @property
    def test(self) -> tuple[list[str], list[str | LabelSet]]:
        """Those of the test set: ``embedclf.evaluate(classifier, *labelled.test)``."""
        return self._part(is_test=True)

    def _part(self, *, is_test: bool) -> tuple[list[str], list[str | LabelSet]]:
        texts, labels = [], []
        for text, label, own in zip(self.texts, self.labels, self.is_test, strict=True):
            if label is not None and own is is_test:
                texts.append(text)
                labels.append(label)
        return texts, labels

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain lists."""
        return {name: [*getattr(self, name)] for name in ("texts", "labels", "notes", "is_test")}

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row per text, in the columns text, label, note and is_test.

        Raises
        ------
        EmbedclfError
            If pandas is not installed.
        """
        names = ("text", "label", "note", "is_test")
        each = zip(self.texts, self.labels, self.notes, self.is_test, strict=True)
        return data_frame([dict(zip(names, row, strict=True)) for row in each], names)

    def __repr__(self) -> str:
        n_labelled = sum(label is not None for label in self.labels)
        return f"<Labelled: {n_labelled:,} of {counted(len(self.texts), 'text')}, {sum(self.is_test):,} for the test>"


def label(
    texts: DataFrame | Iterable[str],
    output: str | os.PathLike[str],
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    embedder: EmbedderLike | None = None,
    order: OrderName = "suggest",
    test_share: float = 0.1,
    several: bool = False,
    known: Sequence[str] = (),
    port: int = 0,
    open_browser: bool = True,
    on_ready: Callable[[str], None] = print,
    seed: int = 0,
) -> Labelled:
    """Label texts on a page in the browser, and return them when the page is finished.

    The page is served on this machine only. Its address is printed, since a notebook may run where there is no browser.
    Ctrl-C, or an interrupt of the kernel, ends it as well. Every answer is kept in a file beside the output, so that
    the same call goes on where it ended.

    Parameters
    ----------
    texts : DataFrame or iterable of str
        A data frame of pandas or Polars brings its labels, and all of its columns are written.
    output : str or Path
        Where to write the rows with their labels, a .csv, .tsv, .jsonl, .parquet or .xlsx file; those of the test set
        are written beside it (``labelled_test.csv``).
    labels : iterable of str or None, or of lists, optional
        One per text, or a list per text; None or an empty string for a text that has not been labelled.
    text, label : str or sequence of str, optional
        The columns of a data frame; None means "text" and, if there is one, "label".
    embedder : str, Embedder or langchain_core.embeddings.Embeddings, optional
        As in `embedclf.train`.
    order : {"suggest", "file", "random", "check"}
        Which text is asked next: the one that is likely to improve a classifier most, that of the next row, any, or the
        one whose label is most probably wrong. All but ``"check"`` ask only texts without labels.
    test_share : float
        The share of questions that are drawn at random for the test set, from 0 to less than 1. ``"check"`` asks none.
    several : bool
        Whether a text may have several labels; it may if any has.
    known : sequence of str
        Labels to choose from the start.
    port : int
        0 picks a free one.
    open_browser : bool
        Whether to open the page in a browser, if there is a desktop.
    on_ready : callable
        Called with the address of the page, with its one-time token, once it can be opened.
    seed : int
        Random seed of the test set, the random order, and the search for label errors.

    Raises
    ------
    ArgumentError
        If an argument cannot be.
    TextError, EmbedderError
        If the texts cannot be embedded.
    DataError
        If all texts have labels, and these are not to be checked.
    OutputError
        If a file cannot be written, another run labels the same output, or a file is in the way.
    EmbedclfError
        If the port is not available, labels cannot be checked, or ``embedclf[label]`` is not installed.
    """
    check_installed()
    corpus = corpus_of_texts(texts, labels, text, label)
    embedded = EmbeddedTexts(corpus.texts, embedder=embedder)
    session = open_session(
        corpus,
        output,
        vectors=embedded.vectors,
        embedder=embedded.embedder,
        order=order,
        test_share=test_share,
        several=several,
        known=known,
        seed=seed,
    )

    def ended() -> str:
        session.save()
        written = (Path(output), test_set_beside(output))
        return "\n".join(f"Wrote {path}" for path in written if path.exists()) or "Nothing was labelled."

    with session:
        serve(session, port=port, on_ready=on_ready, open_browser=open_browser, ended=ended)
        results = session.results()
    found = [one if one is None or session.several else one[0] for one, _ in results]
    return Labelled(
        [*corpus.texts],
        found,
        ["" if last is None else last.note for _, last in results],
        [last is not None and last.is_test and one is not None for one, last in results],
    )
