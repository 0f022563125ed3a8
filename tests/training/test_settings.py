"""What the choice of settings says of the examples that it was made on."""

import numpy as np
import pytest

from embedclf.training.inputs import Inputs
from embedclf.training.recipe import Recipe
from embedclf.training.settings import choose_settings
from embedclf.training.training_set import TrainingSet

CLASSES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("n", "n_classes", "n_judged"), [(90, 3, 90), (90, 2, 90), (2_100, 3, 1_680), (3_100, 2, 3_100)]
)
def test_it_says_which_examples_were_left_out_in_turn(n: int, n_classes: int, n_judged: int):
    """The last class may be that of examples out of scope, all of which are left out."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(n) % 3)
    vectors = (np.eye(3)[y] + rng.normal(scale=0.3, size=(n, 3))).astype(np.float32)
    examples = TrainingSet(Inputs(vectors), y, np.arange(n), CLASSES[:n_classes])
    found = choose_settings(Recipe(C=1.0, features="embedding"), examples, seed=0).out_of_fold
    assert found is not None
    assert found.rows is not None
    assert len(set(found.rows.tolist())) == len(found.rows) == n_judged
    assert np.array_equal(found.y, y[found.rows])
    known = found.y < n_classes
    assert np.mean(found.probabilities.argmax(axis=1)[known] == y[found.rows][known]) > 0.9
