"""Print the labels of texts, for ``embedclf predict`` without an output."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.cli.refused_rows import refused_error
from embedclf.cli.screen import echo, echo_json, echo_lines, wants_colour
from embedclf.data.label_sets import LABEL_SEPARATOR
from embedclf.errors import RowFault
from embedclf.formatting import joined, rounded_down, shown_confidence
from embedclf.phases import phase
from embedclf.printing.explained import explanation_lines
from embedclf.printing.lines import DIM, HEADING, PLAIN, WRONG, Line, Piece
from embedclf.printing.tables import add_lines, in_one_line
from embedclf.printing.width import columns

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.decisions import Answer, LabelRules
    from embedclf.classifier.explanation import Explanation
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.data.corpus import Corpus
    from embedclf.data.rows import Row
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.prediction.predict_files import FilePrediction
    from embedclf.prediction.row_sources import RowSource


_MOST_FAULTS = 20


class _Shown(NamedTuple):
    """One row with its answer and, if asked for, the explanation."""

    row: "Row"
    answer: "Answer"
    explanation: "Explanation | None" = None


def label_on_screen(
    classifier: "TextClassifier",
    source: "RowSource",
    *,
    top_k: int | None,
    coverage: float | None,
    as_json: bool,
    explained: bool,
    trained_on: "Corpus | None",
) -> "FilePrediction":
    """Print one line per text, with its nearest training examples if given; return the counts."""
    from embedclf.embedding.embedded_texts import EmbeddedTexts
    from embedclf.prediction.predict_files import FilePrediction

    examples = None
    if trained_on is not None:
        vectors, reasons = classifier.embedder.embed_partial(trained_on.texts)
        if reasons:
            raise refused_error(trained_on, reasons)
        labels = trained_on.given_labels
        examples = EmbeddedTexts(trained_on.texts, labels, embedder=classifier.embedder, vectors=vectors)
        if explained and not as_json:
            echo(f"Nearest examples (near for, near against): rows of {trained_on.name}", err=True)
    # Of the most likely labels, the first stands behind the answer only if it may be another one.
    first = 0 if classifier.decision.may_differ and (top_k or 1) > 1 else 1
    counts = FilePrediction(0, 0, 0, (), 0.0)
    for shown in _answers(classifier, source, top_k or 1, coverage, explained, examples):
        counts = _with(counts, shown.row)
        if as_json:
            echo_json(_record(shown, top_k, trained_on))
        else:
            _show(shown, trained_on, first, classifier.card.multilabel)
    return counts


def _answers(
    classifier: "TextClassifier",
    source: "RowSource",
    top_k: int,
    coverage: float | None,
    explained: bool,
    examples: "EmbeddedTexts | None",
) -> Iterator[_Shown]:
    from embedclf.evaluation.neighbourhood import explain
    from embedclf.prediction.scores import answer_rows, chunks_of, score_vectors, usable_texts

    known = {} if examples is None else dict(zip(examples.texts, examples.vectors, strict=True))
    with phase("Predicting", unit="text") as predicting:
        for chunk in chunks_of(source, classifier.embedder):
            predicting.estimate_total(predicting.done + len(chunk), source.share_read)
            texts = usable_texts(chunk)
            vectors, reasons = _embedded(classifier, texts, known)
            scores = score_vectors(classifier, texts, vectors, reasons, top_k, coverage)
            answers = answer_rows(classifier, chunk, scores)
            if not explained:
                yield from (_Shown(row, answer) for row, answer in answers)
            else:
                sound = [place for place in range(len(texts)) if place not in reasons]
                why = iter(explain(classifier, [texts[place] for place in sound], examples, vectors=vectors[sound]))
                for row, answer in answers:
                    yield _Shown(row, answer, next(why) if row.fault is None else None)
            predicting.advance(len(chunk))


def _with(counts: "FilePrediction", row: "Row") -> "FilePrediction":
    """Return the counts with one more row, and its fault if it has one."""
    if row.fault is None:
        return replace(counts, rows=counts.rows + 1)
    faults = (*counts.faults, RowFault(row.line, row.fault))[:_MOST_FAULTS]
    return replace(counts, rows=counts.rows + 1, n_faults=counts.n_faults + 1, faults=faults)


def _embedded(
    classifier: "TextClassifier", texts: list[str], known: "Mapping[str, Vectors]"
) -> "tuple[Vectors, dict[int, str]]":
    """Embed texts like `embed_partial`, reusing known vectors so that none is paid for twice."""
    import numpy as np

    from embedclf.embedding.budget import in_parts

    new = [place for place, text in enumerate(texts) if text not in known]
    embed = (classifier if not known else classifier.embedder).embed_partial
    with in_parts():
        vectors, reasons = embed([texts[place] for place in new])
    if len(new) == len(texts):
        return vectors, reasons
    out = np.full((len(texts), len(next(iter(known.values())))), np.nan, dtype=np.float32)
    if sound := [number for number in range(len(new)) if number not in reasons]:
        out[[new[number] for number in sound]] = vectors[sound]
    for place, text in enumerate(texts):
        if text in known:
            out[place] = known[text]
    return out, {new[number]: reason for number, reason in reasons.items()}


def _show(one: _Shown, trained_on: "Corpus | None", first: int, rules: "LabelRules | None") -> None:
    echo_lines(
        [_answer(one.answer, first) if rules is None else _answer_of_several(one.answer, _on_screen(rules.separator))]
    )
    if one.explanation is not None:
        echo_lines(explanation_lines(one.explanation, trained_on, in_colour=wants_colour()))


def _answer(answer: "Answer", first: int) -> Line:
    """Return labels and confidences: apart by tabs for other programs, and by spaces on a terminal.

    Of the most likely classes, those from index `first` on stand behind the answer.
    """
    space: Piece = ("\t" if columns() is None else "  ", PLAIN)
    if not answer.top:
        of_set: list[Piece] = [] if answer.label_set is None else [space, ("-", PLAIN)]
        return [("-", WRONG), space, ("-", PLAIN), *of_set]
    own: Piece = ("-", DIM) if answer.label is None else (in_one_line(answer.label), HEADING)
    pieces: list[Piece] = [own, space, (shown_confidence(answer.confidence or 0.0), PLAIN)]
    pieces += _others(answer.top[first:], space)
    if answer.label_set is not None:
        separator = "|" if columns() is None else " | "  # so that a long set wraps
        pieces += [space, (in_one_line(joined((label for label, _ in answer.label_set), separator)) or "-", PLAIN)]
    return pieces


def _on_screen(separator: str) -> str:
    """Return what separates the labels of a text on the screen, where tabs separate columns."""
    return separator if "\t" not in separator else LABEL_SEPARATOR


def _answer_of_several(answer: "Answer", separator: str) -> Line:
    """Return the labels of a text, and their confidences, each joined by the separator."""
    space: Piece = ("\t" if columns() is None else "  ", PLAIN)
    if not answer.top:
        return [("-", WRONG), space, ("-", PLAIN)]
    labels = answer.labels or []
    if labels:
        first = (separator.join(in_one_line(label) for label, _ in labels), HEADING)
        confidences = separator.join(shown_confidence(sure) for _, sure in labels)
    else:
        first, confidences = ("-", DIM), shown_confidence(answer.confidence or 0.0)
    others = answer.top if len(answer.top) > 1 else []
    return [first, space, (confidences, PLAIN), *_others(others, space)]


def _others(top: list[tuple[str, float]], space: Piece) -> list[Piece]:
    return [
        piece
        for label, confidence in top
        for piece in (space, (in_one_line(label), PLAIN), space, (shown_confidence(confidence), PLAIN))
    ]


def _likely(labels: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"label": label, "confidence": rounded_down(confidence, 6)} for label, confidence in labels]


def _record(one: _Shown, top_k: int | None, trained_on: "Corpus | None") -> dict[str, Any]:
    answer = one.answer
    record: dict[str, Any] = {"text": one.row.text}
    if answer.labels is not None:
        record["labels"] = _likely(answer.labels)
    else:
        record["label"] = answer.label
        record["confidence"] = None if answer.confidence is None else rounded_down(answer.confidence, 6)
    if top_k is not None:
        record["top"] = _likely(answer.top)
    if answer.label_set is not None:
        record["label_set"] = _likely(answer.label_set)
    if one.explanation is not None:
        shown = one.explanation.to_dict()
        shown["runner_up_confidence"] = rounded_down(shown["runner_up_confidence"], 6)
        names = ["runner_up", "runner_up_confidence", "difference", "spans", "vector", "bias"]
        if trained_on is not None:
            add_lines([*shown["for"], *shown["against"]], trained_on)
            names += ["for", "against"]
        record |= {"likeliest": shown["label"], **{name: shown[name] for name in names}}
    if one.row.fault is not None:
        record["error"] = one.row.fault
    return record
