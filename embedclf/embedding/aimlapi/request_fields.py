"""The request fields besides model and texts, without those that a server turns out to reject."""

from typing import Any

from embedclf.embedding.aimlapi.catalogue import ModelFacts
from embedclf.embedding.tasks import TASK_TYPES

Fields = dict[str, Any]

_TASK = "task_type"


class RequestFields:
    """The request fields besides the model's name and the texts. Thread-safe.

    A server that does not know a field names it when it rejects the request, which is then repeated without the field.
    Only fields of accepted requests are recorded.

    Parameters
    ----------
    facts : ModelFacts
    dimensions : int or None
        The length of the vectors, if known.
    is_asked : bool
        Whether `dimensions` is a requested length, which must not be left out.
    task : str or None
        What the vectors are for, which must not be left out either.
    """

    def __init__(self, facts: ModelFacts, dimensions: int | None, *, is_asked: bool, task: str | None = None) -> None:
        self._is_asked = is_asked
        self.present: Fields = {"encoding_format": "base64"} if facts.encodes else {}
        if facts.shortens or (facts.lengths and is_asked):
            # The default length in the API schema differs from the documented one, so always send the length.
            self.present["dimensions"] = dimensions
        if facts.truncates:
            self.present["auto_truncate"] = False
        if task is not None:
            self.present[_TASK] = TASK_TYPES[task]
        self.proven = False
        """Whether a request with these fields has been accepted."""

    def accept(self, fields: Fields) -> None:
        """Record that a request with these fields was accepted."""
        self.present, self.proven = fields, True

    def names_task(self, fields: Fields, reason: str) -> bool:
        """Return whether a rejection names the task and no other field that could be left out."""
        return _TASK in fields and _TASK in reason.lower() and self.without_refused(fields, reason) == fields

    def without_refused(self, fields: Fields, reason: str) -> Fields:
        """Return the fields without those that a rejection names, or with another value for them.

        A requested length and the task are never left out: the vectors would be different.

        Returns
        -------
        dict
            Equal to `fields` if the rejection names none of them.
        """
        message = reason.lower()
        fewer = dict(fields)
        if "encoding_format" in fields and ("encoding_format" in message or "base64" in message):
            if fields["encoding_format"] == "base64":
                fewer["encoding_format"] = "float"
            else:
                del fewer["encoding_format"]
            return fewer
        for name in ("dimensions", "auto_truncate"):
            if name in message and not (name == "dimensions" and self._is_asked):
                fewer.pop(name, None)
        return fewer
