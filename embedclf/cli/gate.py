"""The gate of ``embedclf evaluate``: whether a classifier meets its requirements, said in all asked-for ways."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.gate_options import GateOptions, add_summary, as_sentence, check_summary
from embedclf.cli.job import Job
from embedclf.cli.screen import echo
from embedclf.cli.two_models import check_cost, is_dry, load_with, vectors_of_old
from embedclf.data.atomic_file import AtomicFile
from embedclf.errors import ArgumentError

if TYPE_CHECKING:
    from embedclf.arrays import Vectors
    from embedclf.classifier.costs import Costs
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.evaluation.gate import Gate


class GateCheck:
    """The requirements of one run of the command.

    Parameters
    ----------
    job : Job
        With the rows read.
    options : GateOptions
    classifier : TextClassifier
    embedder : str or None
        For an older model that its file cannot open.

    Raises
    ------
    click.UsageError
        If a requirement is about a label that there is not, or a figure that such texts do not have.
    ModelFileError, ArgumentError, EmbedderError
        If the older model cannot be used, or compared.
    """

    def __init__(self, job: Job, options: GateOptions, classifier: "TextClassifier", embedder: str | None) -> None:
        from embedclf.evaluation.answered_rows import labelled_rows
        from embedclf.evaluation.diffing import check_pair
        from embedclf.evaluation.gate import check_requirements
        from embedclf.evaluation.measuring import check_labels

        self._job, self._options, self._classifier, self._embedder = job, options, classifier, embedder
        corpus, self._old = job.corpus, None
        if options.fail_under:
            rows = labelled_rows(corpus.texts, corpus.given_labels, [classifier])
            try:
                check_requirements(options.fail_under, rows.names, several=rows.are_several)
            except ArgumentError as error:
                raise click.UsageError(f"Invalid value for '--fail-under': {as_sentence(error)}") from None
        if options.baseline is not None:
            self._old = load_with(job, options.baseline, embedder)
            check_pair(self._old, classifier)
            check_labels(self._old, corpus.given_labels)

    def is_dry(self, also: "list[str]") -> bool:
        """Return whether this is a dry run; if so, print the estimated cost of embedding the file and `also`."""
        if self._old is None:
            return self._job.is_dry(also)
        return is_dry(self._job, self._old, self._classifier, also)

    def check(self) -> None:
        """Check before the work starts that the files can be written, and that the cost of both models is in the limit.

        Raises
        ------
        OutputError, MaxCostError
            If not.
        """
        if self._options.junit is not None:
            AtomicFile(self._options.junit).discard()
        check_summary(self._options.summary)
        if self._old is not None:
            check_cost(self._job, self._old, self._classifier)

    def embed_old(self, vectors: "Vectors") -> "Vectors":
        """Embed the rows for the older model too, if there is one; return the vectors of the rows that are left."""
        if self._old is None or self._options.baseline is None:
            return vectors
        self._of_old, vectors = vectors_of_old(
            self._job, self._options.baseline, self._embedder, self._old, self._classifier, vectors
        )
        return vectors

    def judge(self, vectors: "Vectors", costs: "Costs | None", title: str) -> "Gate":
        """Judge the classifier, with other costs if there are any, and write the files that were asked for."""
        from embedclf.evaluation.answered_rows import answers_to, labelled_rows
        from embedclf.evaluation.diffing import diff_of_vectors
        from embedclf.evaluation.gate import Gate, judge, judge_change
        from embedclf.printing.gates import gate_junit, gate_markdown

        corpus, options = self._job.corpus, self._options
        texts, labels = corpus.texts, corpus.given_labels
        classifier = self._classifier if costs is None else self._classifier.with_costs(costs)
        judged = []
        if options.fail_under:
            rows = labelled_rows(texts, labels, [classifier])
            answers = answers_to(rows, classifier, vectors)
            judged = [judge(one, rows, answers) for one in options.fail_under]
        if self._old is not None and options.baseline is not None:
            both = (self._old, self._classifier)
            result = diff_of_vectors(both, texts, labels, (self._of_old, vectors), costs, options.margin)
            judged.append(judge_change(result, Path(options.baseline).name))
        gate = Gate(tuple(judged))
        if options.junit is not None:
            with AtomicFile(options.junit) as file:
                file.write(gate_junit(gate, title, options.cannot_tell).encode())
            echo(f"Wrote {options.junit}", err=True)
        if options.summary is not None:
            add_summary(options.summary, gate_markdown(gate, title, options.cannot_tell))
        return gate
