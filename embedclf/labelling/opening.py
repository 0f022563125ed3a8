"""Opening a session of labelling: the rows of a file, or texts from Python, with the answers of earlier runs."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from embedclf.arrays import Vectors
from embedclf.data.corpus import Corpus
from embedclf.data.label_sets import AnyLabels, LabelSet, listed_labels
from embedclf.data.rows import Row, cell_text
from embedclf.data.writer import check_output
from embedclf.data_frames import DataFrame
from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.errors import ArgumentError, DataError
from embedclf.formatting import counted
from embedclf.labelling.answers import AnswersFile, digest_of
from embedclf.labelling.learner import BackgroundLearner
from embedclf.labelling.orders import FileOrder, ListedOrder, RandomOrder, WithTestSet, draw_held_out
from embedclf.labelling.output import LABEL, LabelledRows
from embedclf.labelling.saving import Saver, check_free
from embedclf.labelling.session import Learner, Order, Session
from embedclf.labelling.suggested import SuggestedOrder
from embedclf.labelling.suspects import find_suspects
from embedclf.labelling.texts import corpus_of_texts
from embedclf.validation import check_whole

OrderName = Literal["suggest", "file", "random", "check"]

logger = logging.getLogger(__name__)


def open_session(
    texts: Corpus | DataFrame | Iterable[str],
    output: str | os.PathLike[str],
    labels: AnyLabels | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | Sequence[str] | None = None,
    vectors: Vectors | None = None,
    order: OrderName | Order = "file",
    learner: Learner | None = None,
    test_share: float = 0.1,
    several: bool = False,
    known: Sequence[str] = (),
    separator: str | None = None,
    seed: int = 0,
    escape_formulas: bool = False,
) -> Session:
    """Open a session, and continue from the answers of earlier sessions with the same output.

    Parameters
    ----------
    texts : Corpus, DataFrame or iterable of str
        A corpus and a data frame bring their labels, and all of their columns are written.
    output : str or Path
        The rows with their labels, a .csv, .tsv, .jsonl, .parquet or .xlsx file. Beside it are the texts of the test
        set (``labelled_test.csv``), and the file of answers.
    labels : iterable of str or None, or of lists, optional
        One per text, or a list per text; None or an empty string for a text that has not been labelled.
    text, label : str or sequence of str, optional
        The columns of a data frame; None means "text" and, if there is one, "label".
    vectors : ndarray of shape (n_texts, n_dimensions), float32, optional
        Needed by ``"suggest"`` and ``"check"``, and to learn.
    order : {"suggest", "file", "random", "check"} or Order
        Which text comes next: the one that should improve the classifier most, the next row, a random one, or the one
        whose label is most likely to be wrong. Except for ``"check"``, only unlabelled texts are asked.
    learner : Learner, optional
        None learns in the background if there are vectors. With ``"check"``, the guesses are the current label of each
        text and the one that it probably should have.
    test_share : float
        The share of questions that are drawn at random for the test set, from 0 to less than 1; see `draw_held_out`.
        ``"check"`` asks none.
    several : bool
        Whether a text may have several labels; it may if any has.
    known : sequence of str
        Labels that may be given from the start.
    separator : str, optional
        What separates several labels in new cells; None writes lists.
    seed : int
        Random seed of the test set, the random order, and the search for label errors.
    escape_formulas : bool
        Whether to put an apostrophe in front of cells of CSV and TSV that a spreadsheet may take for formulas.

    Returns
    -------
    Session
        Closing it writes the output.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    OutputError
        If a file cannot be written, another run labels the same output, or a file is in the way.
    DataError
        If all texts have labels, and these are not to be checked.
    EmbedclfError
        If labels cannot be checked.
    """
    check_whole(seed, "seed", least=0)
    if not 0 <= test_share < 1:
        raise ArgumentError(f"test_share must be at least 0 and less than 1, not {test_share}")
    if order in ("suggest", "check") and vectors is None:
        raise ArgumentError(f'order="{order}" needs the vectors of the texts')
    check_output(output)
    corpus = texts if isinstance(texts, Corpus) else corpus_of_texts(texts, labels, text, label)
    if not corpus.rows:
        raise ArgumentError("there are no texts to label")
    given = [_given(row, corpus) for row in corpus.rows]
    if order != "check" and None not in given:
        raise DataError(
            f"{corpus.name or 'texts'}: nothing to label: {_all(len(given))} already labelled. To check them, use "
            '--order check (in Python: order="check")',
            source=corpus.name,
        )
    background: BackgroundLearner | None = None
    file = AnswersFile(output)
    try:
        check_free(output, file)
        answered = [one.labels for one in file.answers if one.labels is not None]
        several = several or corpus.is_multilabel or any(len(one) != 1 for one in [*answered, *filter(None, given)])
        rows = LabelledRows(corpus, Path(output), several, separator, escape_formulas)
        wanted = [*known, *corpus.label_columns]
        for one in known:
            if (fault := rows.label_fault(one)) is not None:
                raise ArgumentError(fault)
        if order == "check" and vectors is not None:
            learner = suspects = find_suspects(corpus.texts, given, vectors, several=several, seed=seed)
            opened: Order = ListedOrder(suspects.rows)
        else:
            if learner is None and vectors is not None:
                embedded = EmbeddedTexts(corpus.texts, vectors=vectors)
                learner = background = BackgroundLearner(embedded, several=several, known=wanted, seed=seed)
                if order == "suggest":
                    order = SuggestedOrder(embedded, seed=seed)
                    background.follow(order.refresh)
            opened = _with_test_set(_order(order, len(given), seed), corpus.texts, given, file, test_share, seed)
        session = Session(
            corpus.texts,
            given,
            file,
            opened,
            learner,
            several=several,
            known=wanted,
            places=[corpus.place(row) for row in range(len(given))] if corpus.name else (),
            asks_labelled=order == "check",
            label_fault=rows.label_fault,
        )
    except BaseException:
        if background is not None:
            background.close()
        file.close()
        raise
    try:
        _say_taken_up(session, len(answered))
        saver = Saver(session, file, rows, given)
        saver.start()
        session.save = saver.save
        session.closing.callback(saver.close)
        if background is not None:
            session.closing.callback(background.close)
    except BaseException:
        session.close()
        raise
    return session


def _order(order: OrderName | Order, n_texts: int, seed: int) -> Order:
    if not isinstance(order, str):
        return order
    if order not in ("file", "random"):
        raise ArgumentError(f'order must be "file", "random", "check" or an Order, not {order!r}')
    return FileOrder(n_texts) if order == "file" else RandomOrder(n_texts, seed=seed)


def _with_test_set(
    order: Order,
    texts: Sequence[str],
    given: Sequence[LabelSet | None],
    file: AnswersFile,
    share: float,
    seed: int,
) -> Order:
    if not share:
        return order
    labelled = {text for text, labels in zip(texts, given, strict=True) if labels is not None}
    digests = ["" if text in labelled else digest_of(text) for text in texts]
    is_test = {answer.digest: answer.is_test for answer in file.answers if answer.labels is not None}
    drawn = draw_held_out(digests, share, seed=seed)
    return WithTestSet(order, drawn, n_asked=len(is_test), n_test=sum(is_test.values()))


def _say_taken_up(session: Session, n_answers: int) -> None:
    """Log how many answers of earlier runs apply, and how many rows are not asked because they repeat others."""
    states = session.states
    if n_answers:
        n_labelled = len(states.for_training) + len(states.for_test)
        logger.info("Continuing: %s labelled so far", counted(n_labelled, "text"))
    if states.n_gone:
        logger.warning(
            "%s no longer in the file: the answers are kept, but not written to the output",
            f"{counted(states.n_gone, 'answered text')} {'is' if states.n_gone == 1 else 'are'}",
        )
    if states.n_copies:
        logger.info(
            "%s an earlier text: equal texts are asked once and get the same label",
            f"{counted(states.n_copies, 'row')} {'repeats' if states.n_copies == 1 else 'repeat'}",
        )


def _all(n_rows: int) -> str:
    return "its only row is" if n_rows == 1 else f"all {n_rows:,} rows are"


def _given(row: Row, corpus: Corpus) -> LabelSet | None:
    """Return the labels of a row; None if it has not been labelled."""
    if corpus.label_column is None and not corpus.label_columns and (own := row.record.get(LABEL)) is not None:
        return listed_labels(own) or (cell_text(own),)  # a record of JSON may have a column that the first one lacks
    return row.labels if row.labels is not None else (row.label,) if row.label else None
