"""The workflow of a command that trains on a file."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from embedclf.cli.job import Job
from embedclf.cli.notices import introduce

if TYPE_CHECKING:
    from embedclf.arrays import Floats, Vectors
    from embedclf.cli.training_options import TrainingOptions
    from embedclf.training.recipe import Recipe
    from embedclf.training.weights import ClassWeight


class TrainingJob(Job):
    """One run of a command that trains on a labelled file.

    Attributes
    ----------
    recipe : Recipe
        How to train; words only if there is no embedder.
    names : dict of str to str
        The label names to embed as texts, by label.
    sample_weight, class_weight
        How much each row and each label counts; see `embedclf.train`.
    """

    recipe: "Recipe"
    names: dict[str, str]
    sample_weight: "Floats | None" = None
    class_weight: "ClassWeight" = None

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
        from embedclf.data.weight_column import weigh

        self.corpus, self.sample_weight = weigh(self.corpus, weight_column)
        if class_weight == "balanced":
            self.class_weight = "balanced"
        elif class_weight is not None:
            self.class_weight = read_class_weight(class_weight, sorted(set(self.corpus.labels) - {outside}))

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
        from embedclf.training.checks import check_examples
        from embedclf.training.label_names import names_for
        from embedclf.training.recipe import check_recipe
        from embedclf.training.trainer import open_for

        self.weigh(training.class_weight, training.weight_column, out_of_scope_label)
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
            "class_weight": self.class_weight,
            "sample_weight": self.sample_weight,
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
