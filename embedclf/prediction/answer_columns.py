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

    Attributes
    ----------
    types : dict of str to type
        Of each column, by its name.
    """

    def __init__(self, classifier: TextClassifier, top_k: int, *, with_sets: bool = False) -> None:
        rules = classifier.card.multilabel
        self._separator = None if rules is None else rules.separator
        # Labels that have the separator in them could not be told apart.
        self._as_lists = rules is not None and any(rules.separator in label for label in classifier.classes)
        own: dict[str, type] = {"predicted_label": str, "confidence": float}
        first = 1 if classifier.decision.may_differ and top_k > 1 else 2
        if self._separator is not None:  # the most likely label need not be among those given
            own = {"predicted_labels": str, "confidences": str}
        self._places = range(first, top_k + 1)
        others = {
            f"top_{place}_{what}": kind
            for place in self._places
            for what, kind in (("label", str), ("confidence", float))
        }
        self._with_sets = with_sets
        self.types = {**own, **others, **({"label_set": list} if with_sets else {}), "error": str}

    def cells(self, answer: Answer, fault: str | None) -> list[Any]:
        """Return the values for a row."""
        if fault is not None:
            return [*[None] * (len(self.types) - 1), fault]
        own: list[Any] = [answer.label, None if answer.confidence is None else rounded_down(answer.confidence)]
        if self._separator is not None:
            labels = answer.labels or []
            names, sure = [label for label, _ in labels], [rounded_down(one) for _, one in labels]
            if self._as_lists:
                own = [json.dumps(names, ensure_ascii=False), json.dumps(sure)]
            else:
                own = [self._separator.join(names), self._separator.join(map(str, sure))]
        further = [
            value
            for label, sure in answer.top[self._places.start - 1 : self._places.stop - 1]
            for value in (label, rounded_down(sure))
        ]
        sets = [[label for label, _ in answer.label_set or ()]] if self._with_sets else []
        return [*own, *further, *sets, None]
