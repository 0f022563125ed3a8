"""Finding a label by what is typed."""

import pytest

from embedclf.labelling.finding import find_labels

LABELS = ["lost_card", "card_arrival", "discard", "Card", "Überweisung", "注文", "a-b"]


@pytest.mark.parametrize(
    ("typed", "matches"),
    [
        ("card", ["Card", "card_arrival", "lost_card", "discard"]),
        ("ARR", ["card_arrival"]),
        ("uber", ["Überweisung"]),
        ("文", ["注文"]),
        ("-", ["a-b"]),
        ("zebra", []),
    ],
)
def test_the_best_matches_come_first(typed: str, matches: list[str]):
    """Those that are equal, begin with it, have a word that does, and contain it; the order of the labels decides."""
    assert find_labels(LABELS, typed).matches == matches


def test_its_very_name_is_known():
    assert find_labels(LABELS, "Card").is_known
    assert find_labels(LABELS, "Card").near == []
    assert not find_labels(LABELS, "card").is_known
    assert "Card" in find_labels(LABELS, "card").near


@pytest.mark.parametrize("typed", ["card_arival", "Card Arrival", "cardarrival", "crad_arrival"])
def test_a_name_that_is_spelt_nearly_alike(typed: str):
    found = find_labels(LABELS, typed)
    assert found.near[0] == found.matches[0] == "card_arrival"
    assert found.is_guess


@pytest.mark.parametrize(
    ("typed", "label"), [("cat", "car"), ("refund", "delivery"), ("top_up_limits", "top_up_failed")]
)
def test_other_names_are_not(typed: str, label: str):
    assert find_labels([label], typed).near == []


def test_short_names_differ_in_case_and_signs_alone():
    assert find_labels(["a-b", "ab", "ac"], "A.B").near == ["a-b", "ab"]
