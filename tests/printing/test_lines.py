"""Lines fit the width that there is, and no word is broken."""

import pytest

from embedclf.printing.lines import HEADING, PLAIN, WRONG, cut, plain, width_of, wrapped

SENTENCE = "The courier never came with my package, and nobody at the depot knows where it is."


@pytest.mark.parametrize("width", [20, 40, 79, 80, 81, 82, 300])
def test_a_line_is_wrapped_at_spaces(width: int):
    parts = [plain(part) for part in wrapped(f"    {SENTENCE}", width)]
    assert all(width_of(part) <= width for part in parts)
    assert " ".join(parts).split() == SENTENCE.split()
    assert parts[0].startswith("    The")
    assert all(part.startswith("      ") for part in parts[1:])


def test_a_word_of_several_styles_stays_together():
    line = [("accuracy (", PLAIN), ("0.743", HEADING), (")", PLAIN)]
    assert [plain(part) for part in wrapped(line, 12)] == ["accuracy", "  (0.743)"]


def test_styles_stay_with_their_words():
    first, second = wrapped([("labelled ", PLAIN), ("refund", WRONG)], 10)
    assert ("refund", WRONG) in second
    assert plain(first) == "labelled"


def test_a_path_longer_than_the_line_stays_whole():
    path = "/a/very/long/path/to/support_tickets_test.csv"
    assert [plain(part) for part in wrapped(f"2 rows of {path}: see there", 20)] == [
        "2 rows of",
        path + ":",
        "  see there",
    ]


def test_a_text_is_cut_after_a_whole_word():
    assert cut(SENTENCE, 300) == SENTENCE
    assert cut(SENTENCE, 30) == "The courier never came with …"
    assert cut(SENTENCE, 32) == "The courier never came with my …"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("注文した商品がまだ届いていません", "注文した商品 …"),  # each letter is two columns wide
        ("e\u0301" * 20, "e\u0301" * 13 + " …"),  # an accent takes none, and stays with its letter
        ("Donaudampfschifffahrtsgesellschaft", "Donaudampfsch …"),
    ],
)
def test_what_has_no_spaces_is_cut_where_the_line_ends(text: str, shown: str):
    assert cut(text, 15) == shown
    assert width_of(shown) <= 15
