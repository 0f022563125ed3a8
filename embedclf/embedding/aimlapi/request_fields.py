"""The fields that are sent with the texts, less those that a server turns out to refuse."""

from typing import Any

from embedclf.embedding.aimlapi.catalogue import ModelFacts

Fields = dict[str, Any]


class RequestFields:
    """What is sent beside a model's name and the texts.

    A server that does not know a field says so when it refuses a request; then it is asked without it. Threads may
    share it: each request is sent with the fields of the moment, and only accepted ones are noted.

    Parameters
    ----------
    facts : ModelFacts
    dimensions : int or None
        The length of the vectors, if it is known.
    is_asked : bool
        Whether `dimensions` is a length to ask for, which must not be left out.
    """

    def __init__(self, facts: ModelFacts, dimensions: int | None, *, is_asked: bool) -> None:
        self._is_asked = is_asked
        self.present: Fields = {"encoding_format": "base64"} if facts.encodes else {}
        if facts.shortens or (facts.lengths and dimensions is not None):
            # The schema's own default length is not the documented one, so the length is always sent.
            self.present["dimensions"] = dimensions
        if facts.truncates:
            self.present["auto_truncate"] = False
        self.proven = False
        """Whether they have been accepted."""

    def accept(self, fields: Fields) -> None:
        """Note that a request with these fields was accepted."""
        self.present, self.proven = fields, True

    def without_refused(self, fields: Fields, reason: str) -> Fields:
        """Leave out, or ask otherwise for, what a refusal names; but not a length that was asked for.

        Returns
        -------
        dict
            The same fields if it names none.
        """
        said = reason.lower()
        fewer = dict(fields)
        if "encoding_format" in fields and ("encoding_format" in said or "base64" in said):
            if fields["encoding_format"] == "base64":
                fewer["encoding_format"] = "float"
            else:
                del fewer["encoding_format"]
            return fewer
        for name in ("dimensions", "auto_truncate"):
            if name in said and not (name == "dimensions" and self._is_asked):
                fewer.pop(name, None)
        return fewer
