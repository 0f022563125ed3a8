"""The workflow of a command that trains on a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedclf.cli.job import Job
from embedclf.cli.notices import introduce
from embedclf.cli.refused_rows import without_faulty
from embedclf.cli.screen import echo
from embedclf.cli.tree_labels import rows_as_written
from embedclf.errors import ArgumentError
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.arrays import Floats, Vectors
    from embedclf.cli.training_options import TrainingOptions
    from embedclf.data.corpus import Corpus
    from embedclf.training.label_names import Described, LabelText
    from embedclf.training.recipe import Recipe
    from embedclf.training.weights import ClassWeight


class TrainingJob(Job):
    """One run of a command that trains on a labelled file.

    Attributes
    ----------
    recipe : Recipe
        How to train; words only if there is no embedder.
    described : mapping of str to sequence of str, or None
        The labels of ``--labels``, with their descriptions.
    names : list of LabelText
        The texts of labels to embed.
    sample_weight, class_weight
        How much each row and each label counts; see `embedclf.train`.
    tree : str or None
        What separates the parts of labels that are in a tree.
    """

    recipe: "Recipe"
    described: "Described | None" = None
    names: "list[LabelText]"
    sample_weight: "Floats | None" = None
    class_weight: "ClassWeight" = None
    tree: str | None = None

    def read_with_labels(self, path: str) -> "Corpus":
        """Read the file of ``--labels``, and the others, if any, of which none or each row has to have a label."""
        from embedclf.data.corpus import Corpus
        from embedclf.data.label_file import read_label_file

        self.described = read_label_file(path, self.file.encoding, self.file.label_map)
        n = sum(map(len, self.described.values()))
        texts = f", {counted(n, 'description')}" if n else ""
        echo(f"{path}: {counted(len(self.described), 'label')}{texts}", err=True)
        if not self.datasets:
            self.corpus = Corpus(path, [], [], has_bom=False, skipped=[], label_column=None)
            return self.corpus
        needed, self.file = self.file, replace(self.file, labels="optional")
        if self.read().label_column is not None and any(self.corpus.labels):
            self.file = needed
            if not all(self.corpus.labels):
                self.read()
        else:
            echo(f"{self.corpus.name} has no labels: of its texts, only the mean is used.", err=True)
        return self.corpus

    def check_labels(
        self,
        training: "TrainingOptions",
        *,
        out_of_scope_label: str | None,
        needs_rows: Mapping[str, Any],
        needs_all_rows: Mapping[str, Any],
    ) -> None:
        """Check that the labels of ``--labels`` have the rows that is needed for what is asked.

        Raises
        ------
        ArgumentError
            If not.
        """
        from embedclf.data.label_sets import labels_in
        from embedclf.training.label_names import labels_without_rows
        from embedclf.training.labels_alone import check_beside_rows, check_without_rows
        from embedclf.training.recipe import check_recipe

        if self.has_labelled_rows:
            alone = labels_without_rows(
                self.described, {*labels_in(self.corpus.given_labels), out_of_scope_label or ""}
            )
            check_beside_rows(alone, out_of_scope_label, **needs_all_rows, class_weight=training.class_weight)
            return
        check_without_rows(
            check_recipe(**training.settings),
            out_of_scope_label=out_of_scope_label,
            class_weight=training.class_weight,
            weight_column=training.weight_column,
            label_separator=self.file.label_separator,
            label_columns=self.file.label_columns,
            **needs_rows,
            **needs_all_rows,
        )

    @property
    def has_labelled_rows(self) -> bool:
        """Whether the rows have labels; else there are only texts of labels."""
        return self.described is None or any(self.corpus.labels)

    def read(self) -> "Corpus":
        """Read the files, and check that labels are separated as was said."""
        from embedclf.cli.several_labels import check_separator

        corpus = super().read()
        check_separator(corpus, self.file)
        return corpus

    def put_in_tree(self, separator: str, out_of_scope_label: str | None = None) -> tuple[str, str | None]:
        """Write the labels in one way; return the separator and the out-of-scope label as they are written.

        Raises
        ------
        ArgumentError
            If the separator stands in no label.
        BadRowsError
            If labels have empty parts, and bad rows are not skipped.
        TrainingError
            If described labels have.
        """
        from embedclf.classifier.hierarchy import as_written
        from embedclf.training.checks import tree_faults
        from embedclf.training.label_names import described_in_tree

        if separator.strip() == (self.file.label_separator or "").strip() != "":
            raise ArgumentError(
                f"{separator.strip()!r} cannot separate both the labels of a text (--label-separator) and the parts of "
                "a label (--label-hierarchy)"
            )
        separator, faults = tree_faults(self.corpus.given_labels, separator, out_of_scope_label)
        if faults:
            skip, problem = self.file.skip_bad_rows, "cannot be used"
            self.corpus, _ = without_faulty(self.corpus, faults, problem, skip_bad_rows=skip)
        self.corpus = rows_as_written(self.corpus, separator, self.file.label_separator)
        if self.described is not None:
            self.described = described_in_tree(self.described, separator)
        self.tree = separator
        return separator, None if out_of_scope_label is None else as_written([out_of_scope_label], separator)[0]

    def check_outside(self, out_of_scope_label: str) -> None:
        """Check that the out-of-scope label stands alone where texts may have several labels.

        Raises
        ------
        BadRowsError
            If it does not, and bad rows are not skipped.
        """
        from embedclf.data.label_sets import outside_beside_others

        each = enumerate(self.corpus.label_sets or ())
        faults = {row: fault for row, labels in each if (fault := outside_beside_others(labels, out_of_scope_label))}
        if faults:
            skip = self.file.skip_bad_rows
            self.corpus, _ = without_faulty(self.corpus, faults, "cannot be used", skip_bad_rows=skip)

    def weigh(self, class_weight: str | None, weight_column: str | None, outside: str | None = None) -> None:
        """Read how much each row and each label counts, and leave out the rows that do not count.

        Parameters
        ----------
        class_weight : str or None
            ``balanced``, or a file.
        weight_column : str or None
        outside : str, optional
            The out-of-scope label, which has no weight.
        """
        from embedclf.classifier.label_files import read_class_weight
        from embedclf.data.label_sets import labels_in
        from embedclf.data.weight_column import weigh, weight_faults

        if (
            weight_column is not None
            and self.file.skip_bad_rows
            and (faults := weight_faults(self.corpus, weight_column))
        ):
            self.corpus, _ = without_faulty(self.corpus, faults, "have no valid weight", skip_bad_rows=True)
        self.corpus, self.sample_weight = weigh(self.corpus, weight_column)
        if class_weight == "balanced":
            self.class_weight = "balanced"
        elif class_weight is not None:
            self.class_weight = read_class_weight(class_weight, sorted(labels_in(self.corpus.given_labels) - {outside}))

    def keep_usable(self, vectors: "Vectors", refused: Mapping[int, str]) -> "Vectors":
        """Drop the rows that the embedder rejected, and their weights; see `Job.keep_usable`."""
        if self.sample_weight is not None and refused:
            kept = [row for row in range(len(self.sample_weight)) if row not in refused]
            self.sample_weight = self.sample_weight[kept]
        return super().keep_usable(vectors, refused)

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
        from embedclf.cli.several_labels import say_tree, say_what_labels_are
        from embedclf.data.label_sets import labels_in
        from embedclf.training.checks import check_labelled
        from embedclf.training.label_names import check_described, labels_without_rows, texts_of
        from embedclf.training.labels_alone import check_embedder
        from embedclf.training.recipe import check_recipe
        from embedclf.training.trainer import open_for

        self.weigh(training.class_weight, training.weight_column, out_of_scope_label)
        recipe, reason, settings = check_recipe(**training.settings), None, {}
        if recipe.uses_vectors:
            settings = {**training.asked, **self.asked.settings()}
            reason = self.reason_for(training)
        self.embedder, self.recipe = open_for(recipe, training.embedder, **settings)
        introduce(self.corpus, self.embedder, reason)
        say_what_labels_are(self.corpus, self.file, out_of_scope_label, self.tree)
        if self.tree is not None:
            say_tree(labels_in(self.corpus.given_labels) - {"", out_of_scope_label}, self.tree)
        texts, labels = self.corpus.texts, self.corpus.labels
        self._outside, self._on_few = out_of_scope_label, on_few
        if self.described is not None and not self.has_labelled_rows:
            check_described(self.described)
            check_embedder(self.recipe, sorted(self.described))
            self.names = texts_of(sorted(self.described), self.described)
            return
        check_labelled(texts, self.corpus.given_labels, out_of_scope_label)
        if self.corpus.is_multilabel and self.described is not None:
            raise ArgumentError("--labels (label_texts) is for texts with one label each; these have several")
        if self.described is not None:
            self.described = {label: said for label, said in self.described.items() if label != out_of_scope_label}
            check_described(self.described, sorted(set(labels) - {out_of_scope_label}))
            check_embedder(self.recipe, labels_without_rows(self.described, labels))
        self.names = self._names_to_embed() if self.recipe.uses_vectors else []

    def _names_to_embed(self) -> "list[LabelText]":
        from embedclf.data.label_sets import labels_in
        from embedclf.training.label_names import names_for

        if not self.has_labelled_rows:
            return self.names
        classes, n_texts = sorted(labels_in(self.corpus.given_labels) - {self._outside}), len(self.corpus.texts)
        return names_for(self.recipe, classes, len(classes) if self._on_few else n_texts, self.described)

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
            **({} if self.described is None else {"label_texts": self.described}),
            "class_weight": self.class_weight,
            "sample_weight": self.sample_weight,
        }

    def is_dry(self, also: Sequence[str] = ()) -> bool:
        """Return whether this is a dry run; if so, print the estimated cost of texts, label names and `also`."""
        return super().is_dry([*(one.text for one in self.names), *also])

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
        vectors, reasons = self.embed_partial([*self.corpus.texts, *(one.text for one in self.names)])
        refused = {row: why for row, why in reasons.items() if row < n}
        if self.described is not None:
            check_none_refused(self.names, {row - n: why for row, why in reasons.items() if row >= n})
        of_texts, of_names = self.keep_usable(vectors[:n], refused), dict(zip(self.names, vectors[n:], strict=True))
        if not self.names or len(refused) != len(reasons):  # the embedder rejected a name
            return {"vectors": of_texts}
        names = self._names_to_embed()  # the rows of a label may all have been rejected
        if not names or not set(names) <= of_names.keys():
            return {"vectors": of_texts}
        return {"vectors": of_texts, "name_vectors": np.stack([of_names[one] for one in names])}


def check_none_refused(names: "Sequence[LabelText]", reasons: Mapping[int, str]) -> None:
    """Check that the embedder rejected no text of a label.

    Raises
    ------
    TrainingError
        If it did.
    """
    from embedclf.errors import TrainingError

    if reasons:
        row, why = next(iter(reasons.items()))
        raise TrainingError(f"the text of the label {names[row].label!r} cannot be embedded: {why}")
