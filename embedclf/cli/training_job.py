"""The workflow of a command that trains on a file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embedclf.cli.job import Job
from embedclf.cli.notices import introduce

if TYPE_CHECKING:
    from embedclf.cli.training_options import TrainingOptions
    from embedclf.data.corpus import Corpus
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

    def read(self) -> "Corpus":
        """Read the files, and check that labels are separated as was said."""
        from embedclf.cli.several_labels import check_separator

        corpus = super().read()
        check_separator(corpus, self.file)
        return corpus

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
        from embedclf.cli.several_labels import say_what_labels_are
        from embedclf.data.label_sets import labels_in
        from embedclf.training.checks import check_examples, check_label_sets
        from embedclf.training.label_names import names_for
        from embedclf.training.recipe import check_recipe
        from embedclf.training.trainer import open_for

        recipe, reason, settings = check_recipe(**training.settings), None, {}
        if recipe.uses_vectors:
            settings = {**training.asked, **self.asked.settings()}
            reason = self.reason_for(training)
        self.embedder, self.recipe = open_for(recipe, training.embedder, **settings)
        introduce(self.corpus, self.embedder, reason)
        texts, labels = self.corpus.texts, self.corpus.given_labels
        say_what_labels_are(self.corpus, self.file)
        if self.corpus.label_sets is not None:
            check_label_sets(texts, self.corpus.label_sets)
        else:
            check_examples(texts, self.corpus.labels, out_of_scope_label)
        classes = sorted(labels_in(labels) - {out_of_scope_label})
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

        from embedclf.data.label_sets import labels_in

        if not self.recipe.uses_vectors:
            return {}
        n = len(self.corpus.texts)
        vectors, reasons = self.embed_partial([*self.corpus.texts, *self.names.values()])
        refused = {row: why for row, why in reasons.items() if row < n}
        of_texts, of_names = self.keep_usable(vectors[:n], refused), dict(zip(self.names, vectors[n:], strict=True))
        if not of_names or len(refused) != len(reasons):  # the embedder rejected a name
            return {"vectors": of_texts}
        labels = sorted(labels_in(self.corpus.given_labels) & of_names.keys())
        return {"vectors": of_texts, "name_vectors": np.stack([of_names[label] for label in labels])}
