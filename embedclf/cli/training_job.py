"""The workflow of a command that trains on a file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedclf.cli.job import Job
from embedclf.cli.notices import introduce
from embedclf.cli.refused_rows import without_faulty

if TYPE_CHECKING:
    from embedclf.cli.training_options import TrainingOptions
    from embedclf.training.recipe import Recipe


class TrainingJob(Job):
    """One run of a command that trains on a labelled file.

    Attributes
    ----------
    recipe : Recipe
        How to train; words only if there is no embedder.
    names : dict of str to str
        The label names to embed as texts, by label.
    """

    recipe: "Recipe"
    names: dict[str, str]

    def put_in_tree(self, separator: str, out_of_scope_label: str | None = None) -> tuple[str, str | None]:
        """Write the labels of the rows in one way; return the separator and the out-of-scope label as they are written.

        Raises
        ------
        ArgumentError
            If the separator stands in no label.
        BadRowsError
            If labels have empty parts, and bad rows are not skipped.
        """
        from embedclf.classifier.hierarchy import as_written, tree_fault, usual_separator

        labels = self.corpus.labels
        separator = usual_separator([label for label in labels if label != out_of_scope_label], separator)
        faults = {
            row: fault
            for row, label in enumerate(labels)
            if label != out_of_scope_label and (fault := tree_fault(label, separator))
        }
        if faults:
            skip, problem = self.file.skip_bad_rows, "cannot be used"
            self.corpus, _ = without_faulty(self.corpus, faults, problem, skip_bad_rows=skip)
        written = as_written(self.corpus.labels, separator)
        rows = [replace(row, label=label) for row, label in zip(self.corpus.rows, written, strict=True)]
        self.corpus = replace(self.corpus, rows=rows)
        return separator, None if out_of_scope_label is None else as_written([out_of_scope_label], separator)[0]

    def open_to_train(
        self, training: "TrainingOptions", *, out_of_scope_label: str | None = None, on_few: bool = False
    ) -> None:
        """Open the embedder that training needs, announce it, and check that the rows can make a classifier.

        Everything that can be checked without embeddings is checked before any is paid for.

        Parameters
        ----------
        training : TrainingOptions
        out_of_scope_label : str, optional
        on_few : bool
            Whether some classifiers are trained on only a few of the rows.
        """
        from embedclf.training.checks import check_examples
        from embedclf.training.label_names import names_for
        from embedclf.training.recipe import check_recipe
        from embedclf.training.trainer import open_for

        recipe, reason, settings = check_recipe(**training.settings), None, {}
        if recipe.uses_vectors:
            settings = {**training.asked, **self.asked.settings()}
            reason = self.reason_for(training)
        self.embedder, self.recipe = open_for(recipe, training.embedder, **settings)
        introduce(self.corpus, self.embedder, reason)
        texts, labels = self.corpus.texts, self.corpus.labels
        check_examples(texts, labels, out_of_scope_label)
        classes = sorted(set(labels) - {out_of_scope_label})
        names = names_for(self.recipe, classes, len(classes) if on_few else len(texts))
        # `names` is empty if no label names are to be learned from.
        self.names = dict(zip(classes, names, strict=False)) if self.recipe.uses_vectors else {}

    @property
    def settings(self) -> dict[str, Any]:
        """The recipe and the embedder, as arguments of `embedclf.train`."""
        recipe = self.recipe
        return {
            "embedder": self.embedder,
            "head": recipe.head,
            "C": "auto" if recipe.C is None else recipe.C,
            "features": recipe.features,
            "label_names": recipe.label_names,
        }

    def is_dry(self, also: Sequence[str] = ()) -> bool:
        """Return whether this is a dry run; if so, print the estimated cost of texts, label names and `also`."""
        return super().is_dry([*self.names.values(), *also])

    def embed_to_train(self) -> dict[str, Any]:
        """Embed the texts and label names that training needs.

        Returns
        -------
        dict
            Arguments of `embedclf.train`.
        """
        import numpy as np

        if not self.recipe.uses_vectors:
            return {}
        n = len(self.corpus.texts)
        vectors, reasons = self.embed_partial([*self.corpus.texts, *self.names.values()])
        refused = {row: why for row, why in reasons.items() if row < n}
        of_texts, of_names = self.keep_usable(vectors[:n], refused), dict(zip(self.names, vectors[n:], strict=True))
        if not of_names or len(refused) != len(reasons):  # the embedder rejected a name
            return {"vectors": of_texts}
        labels = sorted(set(self.corpus.labels) & of_names.keys())
        return {"vectors": of_texts, "name_vectors": np.stack([of_names[label] for label in labels])}
