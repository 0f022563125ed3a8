"""The columns that predictions add to the rows of a file."""

import json
from typing import Any

from embedclf.classifier.decisions import Answer
from embedclf.classifier.text_classifier import TextClassifier
from embedclf.formatting import rounded_down


class AnswerColumns:
    """The columns for the answers of a classifier, the column ``error`` last.

    Parameters
    ----------
    classifier : TextClassifier
    top_k : int
        How many of the most likely labels to write per row; the first is that of the answer, unless the classifier may
        answer with another.
    with_sets : bool
        Whether to write the label sets, too.
    as_lists : bool
        Whether the file can hold lists: the labels of a text that may have several, which otherwise are joined.

    Attributes
    ----------
    types : dict of str to type
        Of each column, by its name.
    """

    def __init__(
        self, classifier: TextClassifier, top_k: int, *, with_sets: bool = False, as_lists: bool = False
    ) -> None:
        rules = classifier.card.multilabel
        self._separator = None if rules is None else rules.separator
        self._as_lists = as_lists
        # Labels that have the separator in them could not be told apart.
        self._as_json = rules is not None and any(rules.separator in label for label in classifier.classes)
        own: dict[str, Any] = {"predicted_label": str, "confidence": float}
        first = 1 if classifier.decision.may_differ and top_k > 1 else 2
        if self._separator is not None:
            kinds = (list[str], list[float]) if as_lists else (str, str)
            own = dict(zip(("predicted_labels", "confidences"), kinds, strict=True))
        self._places = range(first, top_k + 1)
        others = {
            f"top_{place}_{what}": kind
            for place in self._places
            for what, kind in (("label", str), ("confidence", float))
        }
        self._with_sets = with_sets
        sets: dict[str, Any] = {"label_set": list[str]} if with_sets else {}
        self.types: dict[str, Any] = {**own, **others, **sets, "error": str}

    def cells(self, answer: Answer, fault: str | None) -> list[Any]:
        """Return the values for a row."""
        if fault is not None:
            return [*[None] * (len(self.types) - 1), fault]
        own: list[Any] = [answer.label, None if answer.confidence is None else rounded_down(answer.confidence)]
        if self._separator is not None:
            labels = answer.labels or []
            own = [[label for label, _ in labels], [rounded_down(sure) for _, sure in labels]]
            if not self._as_lists and self._as_json:
                own = [json.dumps(one, ensure_ascii=False) for one in own]
            elif not self._as_lists:
                own = [self._separator.join(map(str, one)) for one in own]
        further = [
            value
            for label, sure in answer.top[self._places.start - 1 : self._places.stop - 1]
            for value in (label, rounded_down(sure))
        ]
        sets = [[label for label, _ in answer.label_set or ()]] if self._with_sets else []
        return [*own, *further, *sets, None]
