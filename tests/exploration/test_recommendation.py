"""embedclf recommend: more like a row, without its copies, spread over what differs."""

import json
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer, error
from corpus import LABELS, TEXTS, write_csv
from running import Cli

COPIES = [
    ("my parcel is late", "a"),
    ("", "b"),
    ("My parcel is late", "a"),
    ("my parcel is late!", ""),
    ("refund", "c"),
]


def test_what_a_person_sees(cli: Cli, dataset: Path):
    """Which row it is, and what is like it; by a text the same, without the row."""
    result = cli("recommend", dataset.name, "--row", 23, "-k", 3)
    assert result.exit_code == 0
    expected = """\
similarity  row  label   text
     0.761  :25  refund  You refunded too little money
     0.727  :28  refund  How long does a refund take?
     0.694  :29  refund  I was promised a full refund
"""
    assert result.stdout == expected
    assert result.stderr == (
        "small.csv: 30 rows, 3 labels\n"
        "Embedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n"
        'Rows similar to :23 (refund) "When do I get my refund?"\n'
    )
    by_text = cli("recommend", dataset.name, "--text", "When do I get my refund?", "-k", 3)
    assert by_text.stdout == expected
    assert "Like" not in by_text.stderr


def test_json(cli: Cli, dataset: Path):
    """Whole texts, lines, and null where there is nothing."""
    shown = json.loads(cli("recommend", dataset, "--row", 23, "-k", 1, "--json").stdout)
    assert list(shown) == ["text", "row", "n_texts", "hits", "line", "usage"]
    assert (shown["text"], shown["row"], shown["line"]) == ("When do I get my refund?", 21, 23)
    assert shown["hits"] == [
        {
            "row": 23,
            "text": "You refunded too little money",
            "label": "refund",
            "similarity": pytest.approx(0.761, abs=1e-3),
            "line": 25,
        }
    ]
    shown = json.loads(cli("recommend", dataset, "--text", "a refund", "--json").stdout)
    assert (shown["text"], shown["row"], shown["line"], len(shown["hits"])) == ("a refund", None, None, 5)


def test_the_rows_found_are_written(cli: Cli, dataset: Path):
    """With their own columns, line and similarity, in the order shown."""
    done = cli("recommend", dataset, "--row", 2, "-k", 2, "-o", "like.jsonl", "--json")
    rows = [json.loads(line) for line in Path("like.jsonl").read_text().splitlines()]
    keys = ("text", "label", "line", "similarity")
    assert rows == [{key: hit[key] for key in keys} for hit in json.loads(done.stdout)["hits"]]


def test_a_row_of_several_files_is_named_with_its_file(cli: Cli, dataset: Path):
    """As messages show it."""
    write_csv(Path("more.csv"), [("my parcel went to the moon", "delivery")])
    done = cli("recommend", dataset.name, "more.csv", "--row", "more.csv:2", "-k", 1)
    assert 'Rows similar to more.csv:2 (delivery) "my parcel went to the moon"\n' in done.stderr
    shown = json.loads(cli("recommend", dataset.name, "more.csv", "--row", "more.csv:2", "-k", 1, "--json").stdout)
    assert (shown["file"], shown["line"], shown["row"]) == ("more.csv", 2, 30)
    for row, files, message in [
        ("2", [dataset.name, "more.csv"], "name it too, such as --row small.csv:2."),
        ("less.csv:2", [dataset.name], "--row is in small.csv, not in less.csv."),
        ("first", [dataset.name], "'first' is not the line of a row, such as 93 or tickets.csv:93."),
    ]:
        done = cli("recommend", *files, "--row", row)
        assert done.exit_code == 2
        assert message in done.stderr


def test_near_copies_are_left_out(cli: Cli, tmp_path: Path):
    """Of the row and of each other; that there is no more is said."""
    write_csv(tmp_path / "copies.csv", COPIES)
    result = cli("recommend", "copies.csv", "--row", 4, "--skip-bad-rows")
    assert [line.split()[1:] for line in result.stdout.splitlines()[1:]] == [[":6", "c", "refund"]]
    assert result.stderr.endswith(
        'Rows similar to :4 (a) "My parcel is late"\nThe other 2 rows are near-duplicates: not shown.\n'
    )
    result = cli("recommend", "copies.csv", "--row", 6, "--skip-bad-rows", "-k", 1)
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.endswith('Rows similar to :6 (c) "refund"\n')
    result = cli("recommend", "copies.csv", "--row", 6, "--skip-bad-rows", "-k", 2)
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.endswith("\nThe other 2 rows are near-duplicates: not shown.\n")
    write_csv(tmp_path / "two.csv", [("my parcel", "a"), ("My parcel", "a")])
    result = cli("recommend", "two.csv", "--row", 2)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("The other row is a near-duplicate: not shown.\n")
    write_csv(tmp_path / "one.csv", [("my parcel", "a")])
    result = cli("recommend", "one.csv", "--row", 2, "--json")
    assert json.loads(result.stdout)["hits"] == []
    assert result.stderr.endswith("There are no other rows.\n")


def test_a_line_at_which_no_row_starts(cli: Cli, api: AimlapiServer, tmp_path: Path):
    """Is an error that names the rows next to it, before anything is sent."""
    path = tmp_path / "rows.csv"
    path.write_text('text\nmy parcel\n"my\nrefund"\n\nmy login\n')
    for line, near in [
        (1, "row starts at rows.csv:2"),
        (4, "rows start at rows.csv:3 and rows.csv:6"),
        (5, "rows start at rows.csv:3 and rows.csv:6"),
        (7, "row starts at rows.csv:6"),
    ]:
        for options in ([], ["--dry-run"]):
            result = cli("recommend", "rows.csv", "--row", line, *options)
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr.endswith(
                f"Error: rows.csv:{line}: no row starts at this line; the nearest usable {near}\n"
            )
    assert api.n_requests == 0
    result = cli("recommend", "rows.csv", "--row", 3, "-k", 2)
    assert result.exit_code == 0
    assert 'Rows similar to :3 "my refund"\n' in result.stderr


def test_a_row_that_cannot_be_used(cli: Cli, api: AimlapiServer, tmp_path: Path):
    """Whether the file has it wrong or the embedder refuses it: the reason and the rows next to it."""
    write_csv(tmp_path / "copies.csv", COPIES)
    result = cli("recommend", "copies.csv", "--row", 3)
    assert "Error: 1 row of copies.csv cannot be used:\n  copies.csv:3: the text is empty\n" in result.stderr
    near = "the nearest usable rows start at copies.csv:2 and copies.csv:4\n"
    result = cli("recommend", "copies.csv", "--row", 3, "--skip-bad-rows")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"Error: copies.csv:3: this row was skipped (the text is empty); {near}")
    write_csv(tmp_path / "copies.csv", [("one", "a"), ("BAD", "a"), ("two", "b")])
    api.fault = lambda request: error(400, "Your input was flagged") if "BAD" in request.texts else None
    result = cli("recommend", "copies.csv", "--row", 3, "--skip-bad-rows")
    assert result.exit_code == 1
    assert "Error: copies.csv:3: this row was skipped (rejected by text-embedding-3-small: “Your" in result.stderr
    assert result.stderr.endswith(f"; {near}")
    result = cli("recommend", "copies.csv", "--text", "BAD", "--skip-bad-rows")
    assert result.exit_code == 1
    assert "Error: the text cannot be embedded: rejected by text-embedding-3-small: “Your" in result.stderr


def test_one_thing_is_to_be_like(cli: Cli, dataset: Path):
    """A row or a text, not both, not none; an empty text is an error."""
    for options in ([], ["--row", 2, "--text", "my parcel"]):
        result = cli("recommend", dataset, *options)
        assert result.exit_code == 2
        assert "Use either --row LINE or --text TEXT." in result.stderr
    result = cli("recommend", dataset, "--text", " ")
    assert (result.exit_code, result.stderr) == (1, "Error: the text is empty\n")


def test_the_text_and_the_file_are_one_cost(cli: Cli, api: AimlapiServer, dataset: Path):
    """A row costs nothing beside the file."""
    assert cli("recommend", dataset, "--text", "new", "--dry-run").stdout.startswith("31 rows, 31 unique, 0 cached")
    assert cli("recommend", dataset, "--row", 2, "--dry-run").stdout.startswith("30 rows, 30 unique, 0 cached")
    assert api.n_requests == 0


def unit(*rows: tuple[float, ...]) -> np.ndarray:
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class TestRecommend:
    """embedclf.recommend."""

    def test_what_differs_comes_before_more_of_the_same(self):
        """The nearest first; then one of another kind, though the first has nearer companions."""
        vectors = unit((1, 0, 0), (1, 0.5, 0), (1, 0.6, 0.45), (1, 0, -0.78), (0.1, 0, 1))
        result = embedclf.recommend(list("abcde"), row=0, vectors=vectors, k=3)
        assert [hit.row for hit in result.hits] == [1, 3, 2]
        assert isinstance(result, embedclf.Recommendation)
        assert (result.text, result.row, result.n_texts) == ("a", 0, 5)

    def test_it_is_maximal_marginal_relevance(self):
        """As the formula says, with 0.7 for lambda, without near-duplicates."""
        rng = np.random.default_rng(0)
        vectors = unit(*rng.standard_normal((200, 4)))
        result = embedclf.recommend([str(n) for n in range(200)], row=7, vectors=vectors, k=20)
        similarity = vectors.astype(float) @ vectors.T.astype(float)
        chosen: list[int] = []
        for _ in range(20):
            free = [r for r in range(200) if max(similarity[r][o] for o in [7, *chosen]) < 0.95]
            near = {r: max((similarity[r][other] for other in chosen), default=0) for r in free}
            chosen.append(max(free, key=lambda r: 0.7 * similarity[7][r] - 0.3 * near[r]))
        assert [hit.row for hit in result.hits] == chosen

    def test_many_copies_do_not_hide_the_rest(self):
        """Neither of the row nor of another: the search goes on beyond them."""
        vectors = unit(*[(1, 0)] * 2_000, *[(1, 1)] * 2_000, (0, 1), (-1, 0))
        texts = [f"text {number}" for number in range(len(vectors))]
        result = embedclf.recommend(texts, row=1_999, vectors=vectors)
        assert [hit.row for hit in result.hits] == [2_000, 4_000, 4_001]

    def test_text_or_row_and_what_is_at_hand(self):
        """Labels are given if there are any; vectors at hand are not made again."""
        embedder = embedclf.open_embedder("wordllama")
        vectors = embedder.embed(TEXTS)
        result = embedclf.recommend(TEXTS, row=21, labels=LABELS, embedder=embedder)
        assert result.hits[0][:3] == (23, "You refunded too little money", "refund")
        assert embedclf.recommend(TEXTS, row=21, labels=LABELS, vectors=vectors, embedder="no:such") == result
        (text_vector,) = embedder.embed([TEXTS[21]])
        by_text = embedclf.recommend(
            TEXTS, text=TEXTS[21], labels=LABELS, vectors=vectors, text_vector=text_vector, embedder="no:such"
        )
        assert by_text.row is None
        assert by_text.hits == result.hits
        assert by_text.to_dict()["hits"][0]["label"] == "refund"
        assert embedclf.recommend(["one"], row=0).hits == ()

    @pytest.mark.parametrize(
        ("options", "kind", "message"),
        [
            ({}, TypeError, "pass either row or text"),
            ({"row": 0, "text": "a"}, TypeError, "pass either row or text"),
            ({"row": 30}, embedclf.ArgumentError, "row must be the index of a text, from 0 to 29, not 30"),
            ({"row": -1}, embedclf.ArgumentError, "row must be the index of a text, from 0 to 29, not -1"),
            ({"row": "1"}, TypeError, "row must be an integer, not '1'"),
            ({"row": 0, "k": 0}, embedclf.ArgumentError, "k must be an integer of at least 1, not 0"),
            ({"text": ""}, embedclf.ArgumentError, "the text is empty"),
            ({"row": 0, "vectors": np.ones((2, 2))}, embedclf.EmbedclfError, "got 30 texts but 2 vectors"),
        ],
    )
    def test_what_it_refuses(self, api: AimlapiServer, options: dict, kind: type, message: str):
        """Before anything is sent."""
        with pytest.raises(kind, match=message):
            embedclf.recommend(TEXTS, **options)
        assert api.n_requests == 0
