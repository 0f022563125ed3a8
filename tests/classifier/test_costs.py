"""What answers cost, and the answers of least expected cost."""

import numpy as np
import pytest

from embedclf.classifier.costs import Costs, cost_matrix
from embedclf.classifier.decisions import NOTHING, Decision, OwnThresholds

CLASSES = ("a", "b", "c")
RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet([0.7] * 3, 200).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({("a", "b"): 5}, [[0, 5, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]),
        ({("a", "*"): 5}, [[0, 5, 5, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]),
        ({("*", "b"): 5}, [[0, 5, 1, 1], [1, 0, 1, 1], [1, 5, 0, 1], [1, 5, 1, 0]]),
        ({("*", "*"): 5, ("*", None): 2}, [[0, 5, 5, 2], [5, 0, 5, 2], [5, 5, 0, 2], [5, 5, 5, 0]]),
        # The more a row names, the more it counts, wherever it stands; the true label before the answer.
        (
            {("a", "b"): 9, ("a", "*"): 5, ("*", "b"): 3, ("*", "*"): 2},
            [[0, 9, 5, 1], [2, 0, 2, 1], [2, 3, 0, 1], [2, 3, 2, 0]],
        ),
        (
            {("a", "a"): 0.5, ("out", "*"): 7, ("a", None): 4},
            [[0.5, 1, 1, 4], [1, 0, 1, 1], [1, 1, 0, 1], [7, 7, 7, 0]],
        ),
    ],
)
def test_what_a_file_does_not_name_costs_one_if_it_is_wrong(rows: dict[tuple[str, str | None], float], expected: list):
    """The last row is that of the out-of-scope label, the last column abstaining."""
    assert cost_matrix(Costs.of(rows), CLASSES, "out").tolist() == expected


def test_the_answer_has_the_least_expected_cost():
    """Abstaining included, if it has a cost; what the probabilities lack to 1 is out of scope."""
    costs = Costs.of({("a", "*"): 10, ("*", "c"): 3, ("*", None): 0.6, ("out", "*"): 8})
    matrix = cost_matrix(costs, CLASSES, "out")
    inside = np.tile(np.linspace(0.2, 1, 5, dtype=np.float32), 40)[:, None]
    probabilities = PROBABILITIES * inside
    expected = np.column_stack([probabilities, 1 - inside]) @ matrix
    best = expected.argmin(axis=1)
    decided = Decision(CLASSES, costs=matrix, may_abstain=True).decide(probabilities)
    assert decided.chosen.tolist() == np.where(best == 3, NOTHING, best).tolist()
    assert len(set(decided.chosen.tolist())) > 2
    never = Decision(CLASSES, costs=matrix).decide(probabilities)
    assert never.chosen.tolist() == expected[:, :3].argmin(axis=1).tolist()


def test_class_weights_are_costs_of_missing_a_class():
    """A threshold is still compared with the probability of the label that is answered."""
    weights = np.array([5.0, 1.0, 2.0])
    by_costs = cost_matrix(Costs.of({(name, "*"): w for name, w in zip(CLASSES, weights, strict=True)}), CLASSES, None)
    decided = Decision(CLASSES, 0.4, weights=weights).decide(PROBABILITIES)
    chosen, confidence = Decision(CLASSES, costs=by_costs).choose(PROBABILITIES)
    assert decided.chosen.tolist() == np.where(confidence >= 0.4, chosen, NOTHING).tolist()
    assert decided.confidence.tolist() == confidence.tolist()


def test_a_label_with_a_threshold_of_its_own():
    """It takes the place of the common one; of several preferred labels, the one furthest above its threshold is."""
    own = OwnThresholds((0.3, 0.0, None), (None, 0.2, 0.4))
    rows = [
        [0.5, 0.3, 0.2],
        [0.75, 0.1, 0.15],
        [0.2, 0.3, 0.5],
        [0.1, 0.25, 0.65],
        [0.29, 0.1, 0.61],
        [0.8, 0.15, 0.05],
    ]
    decided = Decision(CLASSES, 0.6, own=own).decide(np.array([*rows, [np.nan] * 3], dtype=np.float32))
    assert decided.chosen.tolist() == [1, 0, 1, 2, 2, 0, NOTHING]
    assert Decision(CLASSES, 0.9, own=own).decide(np.array([[0.1, 0.1, 0.8]])).chosen.tolist() == [NOTHING]
