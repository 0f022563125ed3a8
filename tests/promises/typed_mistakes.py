"""What a user gets wrong, and type checkers find: checked by mypy and basedpyright, and never run.

Each line has a mistake that both must report: if one does not, its comment on that line is unused, which is an error.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=error
# ruff: noqa: B018, F401

import embedclf
from embedclf import Trian  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def mistaken(texts: list[str], labels: list[str], classifier: embedclf.TextClassifier) -> None:
    embedclf.tain(texts, labels)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    embedclf.train(texts, labels, embeder="wordllama")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    embedclf.train(texts, labels, embedder=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    embedclf.train(texts, labels, head="logistc")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    embedclf.train(texts, [0.5])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    embedclf.open_embedder("wordllama", retry=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    classifier.predict(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    classifier.predict(texts)[0].upper()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    classifier.classify(texts, top=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    classifier.classify(texts)[0].lable  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    embedclf.evaluate(classifier, texts, labels).acuracy  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    embedclf.create_app("m.safetensors")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    embedclf.EmbeddingClassifier("wordllama", heads="logistic")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
