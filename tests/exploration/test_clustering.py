"""Groups of texts without labels."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import DATASETS, LABELS, TEXTS, write_csv
from embedclf.exploration.communities import communities, exactly
from embedclf.exploration.words import distinctive_words, readable_words
from running import Cli

SHOWN = """\
01_package_parcel_arrive  10 rows · courier, delivery, address, days, driver
  :6  When will the parcel arrive?
  :8  Parcel lost in the post
  :3  The courier never came with my package

02_password_account_log  10 rows · sign, attempts, change, code, comes
  :17  Login says wrong password
  :12  I forgot my password
  :20  I want a new password for my login

03_refund_money_back  10 rows · ago, bank, broken, card, full
  :25  You refunded too little money
  :23  When do I get my refund?
  :26  The refund has not reached my bank

3 clusters; 30 of 30 rows assigned, 0 unassigned
"""
ENDS = ("please", "now", "again", "tomorrow", "thanks")


def sizes(found: embedclf.Clustering) -> list[int]:
    return [one.size for one in found.clusters]


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """The small corpus, numbered, without its labels."""
    return write_csv(tmp_path / "texts.csv", [(str(n), f'"{text}"') for n, text in enumerate(TEXTS)], ("id", "text"))


class TestTheCommand:
    """embedclf cluster."""

    def test_what_a_person_sees(self, cli: Cli, unlabelled: Path, monkeypatch: pytest.MonkeyPatch):
        """Each group with its name, size, words and central texts, the largest first; then what fits nowhere."""
        monkeypatch.chdir(unlabelled.parent)
        result = cli("cluster", "texts.csv", "--clusters", 3)
        assert result.exit_code == 0
        assert result.stdout == SHOWN
        assert result.stderr == (
            "texts.csv: 30 rows\nEmbedder: wordllama:l2_supercat (256 dimensions; AIMLAPI_API_KEY is not set)\n"
            "To write each row with its cluster, use --output FILE.\n"
        )

    def test_lines_are_narrow_enough(self, cli: Cli, monkeypatch: pytest.MonkeyPatch):
        """No line is longer than 80 columns, and each group has four and one that is blank."""
        monkeypatch.chdir(DATASETS)
        lines = cli("cluster", "support_tickets.csv").stdout.splitlines()
        assert max(map(len, lines)) <= 80
        n_groups = int(lines[-1].split()[0])
        assert len(lines) == 5 * n_groups + 1

    def test_from_groups_to_a_classifier(self, cli: Cli, unlabelled: Path):
        """The rows written, their groups renamed by search and replace, are what train takes."""
        done = cli("cluster", unlabelled, "--clusters", 3, "--output", "groups.csv", "--json")
        assert "Wrote 30 rows to groups.csv\n" in done.stderr
        rows = list(csv.DictReader(Path("groups.csv").read_text().splitlines()))
        assert [list(row) for row in rows] == [["id", "text", "cluster"]] * 30
        assert [(int(row["id"]), row["text"]) for row in rows] == list(enumerate(TEXTS))
        content = Path("groups.csv").read_text()
        for one in json.loads(done.stdout)["clusters"]:
            row = one["central"][0]["row"]
            content = content.replace(one["name"], LABELS[row])
        Path("labelled.csv").write_text(content)
        assert cli("train", "labelled.csv", "--label-column", "cluster", "-o", "m.safetensors").exit_code == 0
        assert embedclf.load("m.safetensors").predict(["my package is lost"]) == ["delivery"]

    @pytest.mark.slow
    def test_what_fits_nowhere_is_written_empty(self, cli: Cli):
        """And train leaves such rows out with --skip-bad-rows, or names them."""
        tickets = DATASETS / "support_tickets_test.csv"
        done = cli("cluster", tickets, "--output", "groups.jsonl", "--json")
        shown = json.loads(done.stdout)
        rows = [json.loads(line) for line in Path("groups.jsonl").read_text().splitlines()]
        assert [row["cluster"] for row in rows] == [one["cluster"] for one in shown["texts"]]
        assert [row["cluster"] for row in rows].count(None) == shown["n_left_out"] > 0
        assert list(rows[0]) == ["text", "label", "cluster"]
        settings = ("--label-column", "cluster", "-o", "m.safetensors")
        refused = cli("train", "groups.jsonl", *settings)
        assert refused.exit_code == 1
        assert f"{shown['n_left_out']} rows of groups.jsonl cannot be used" in refused.stderr
        assert cli("train", "groups.jsonl", *settings, "--skip-bad-rows").exit_code == 0

    def test_json_says_all(self, cli: Cli, unlabelled: Path):
        """What the function gives, with the lines of the file and what embedding took."""
        shown = json.loads(cli("cluster", unlabelled, "--clusters", 3, "--json").stdout)
        assert shown.pop("usage")["requests"] == 0
        expected = embedclf.cluster(TEXTS, 3).to_dict()
        for record in [*expected["texts"], *(one for group in expected["clusters"] for one in group["central"])]:
            record["line"] = record["row"] + 2
        assert shown == expected

    def test_a_column_named_cluster_stays(self, cli: Cli):
        """The new one gets a number."""
        Path("own.tsv").write_text("cluster\ttext\n" + "".join(f"a\t{text}\n" for text in TEXTS))
        assert cli("cluster", "own.tsv", "--clusters", 2, "--output", "groups.tsv").exit_code == 0
        rows = list(csv.DictReader(Path("groups.tsv").read_text().splitlines(), delimiter="\t"))
        assert list(rows[0]) == ["cluster", "text", "cluster_2"]
        assert {row["cluster"] for row in rows} == {"a"}

    def test_the_file_is_not_written_over(self, cli: Cli, unlabelled: Path):
        """Under whatever name."""
        Path("link.csv").symlink_to(unlabelled)
        result = cli("cluster", unlabelled, "--output", "link.csv")
        assert result.exit_code == 1
        assert "--output link.csv is the same file as the file" in result.stderr

    def test_too_many_groups(self, cli: Cli):
        """The error says how many there may be, and nothing is written."""
        write_csv(Path("few.csv"), [("a parcel",), ("a refund",), ("a parcel",)], ("text",))
        result = cli("cluster", "few.csv", "--clusters", 3, "--output", "groups.csv")
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "Error: cannot form 3 clusters from 2 distinct texts: ask for 2 or fewer, or leave the number out\n"
        )
        assert not Path("groups.csv").exists()

    def test_nothing_is_paid_for_what_cannot_be(self, cli: Cli, api: AimlapiServer):
        """Too many groups are refused before anything is sent; --dry-run sends nothing either."""
        write_csv(Path("few.csv"), [("a parcel",), ("a refund",)], ("text",))
        assert cli("cluster", "few.csv", "--clusters", 3).exit_code == 1
        assert cli("cluster", "few.csv", "--dry-run").stdout.startswith("2 rows, 2 unique, 0 cached, 2 to embed")
        assert api.n_requests == 0
        assert cli("cluster", "few.csv").stdout == "0 clusters; 0 of 2 rows assigned, 2 unassigned\n"
        assert api.n_requests == 1

    def test_ugly_texts(self, cli: Cli):
        """A terminal's commands, line breaks and endless words come out in one harmless line each."""
        ugly = ["\x1b[31mred\x1b[0m parcel\nlost", "red parcel " + "x" * 100_000, "red parcel\x07 late"]
        Path("ugly.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ugly))
        shown = cli("cluster", "ugly.jsonl", "--clusters", 1).stdout
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert len(shown.splitlines()) == 6
        assert max(map(len, shown.splitlines())) <= 80


class TestCluster:
    """embedclf.cluster."""

    def test_it_finds_the_labels_that_it_is_not_told(self):
        """Three groups of the small corpus are its three labels."""
        found = embedclf.cluster(TEXTS, 3)
        assert {(label, number) for label, number in zip(LABELS, found.assigned, strict=True)} == {
            ("delivery", 0),
            ("password", 1),
            ("refund", 2),
        }

    def test_better_than_k_means_that_is_told_how_many(self):
        """On tickets that the settings were not chosen on, with and without being told."""
        from sklearn.cluster import KMeans
        from sklearn.metrics import adjusted_mutual_info_score

        from embedclf.data.corpus import read_corpus

        corpus = read_corpus(DATASETS / "support_tickets_test.csv")
        vectors = embedclf.open_embedder("wordllama").embed(corpus.texts)
        k, labels = len(set(corpus.labels)), np.array(corpus.labels)
        runs = [KMeans(k, n_init=1, random_state=seed).fit_predict(vectors) for seed in range(5)]
        for n_clusters in (None, k):
            found = embedclf.cluster(corpus.texts, n_clusters, vectors=vectors)
            placed = np.array([number is not None for number in found.assigned])
            assert placed.mean() >= 0.9
            groups = np.array([number for number in found.assigned if number is not None])
            ami = adjusted_mutual_info_score(labels[placed], groups)
            assert ami > max(adjusted_mutual_info_score(labels[placed], run[placed]) for run in runs)
            assert ami > max(adjusted_mutual_info_score(labels, run) for run in runs)

    @pytest.mark.parametrize("n_clusters", [1, 2, 5, 17, 30])
    def test_as_many_groups_as_asked_for(self, n_clusters: int):
        """None is empty, and at most a tenth of the texts is left out."""
        found = embedclf.cluster(TEXTS * 2, n_clusters)
        assert len(found.clusters) == n_clusters
        assert sum(sizes(found)) + found.n_left_out == 60
        assert min(sizes(found)) >= 1
        assert found.n_left_out <= 6
        assert sizes(found) == sorted(sizes(found), reverse=True)

    def test_also_of_what_nothing_links(self):
        """Texts whose vectors have nothing in common stand alone, but can be forced together."""
        vectors = np.eye(6, dtype=np.float32)
        assert embedclf.cluster(list("abcdef"), vectors=vectors).assigned == (None,) * 6
        for n_clusters in range(1, 7):
            assert len(embedclf.cluster(list("abcdef"), n_clusters, vectors=vectors).clusters) == n_clusters

    def test_few_texts(self):
        """One alone or two that differ are no group; equal ones are."""
        assert sizes(embedclf.cluster(["a parcel"])) == []
        assert embedclf.cluster(["a parcel", "my invoice is wrong"]).n_left_out == 2
        assert embedclf.cluster(["a parcel", "a parcel", "my invoice is wrong"]).assigned == (0, 0, None)
        assert sizes(embedclf.cluster(["a parcel"] * 7)) == [7]
        assert sum(sizes(embedclf.cluster(TEXTS[:5]))) == 5
        assert sum(sizes(embedclf.cluster(TEXTS[:20]))) >= 18

    def test_equal_texts_change_no_groups(self):
        """A text that comes a hundred times weighs more in its group, but pulls nothing else in or out."""
        once = embedclf.cluster(TEXTS)
        often = embedclf.cluster([*TEXTS, *[TEXTS[0]] * 99])
        own = [set(np.flatnonzero([number == group for number in once.assigned])) for group in range(len(sizes(once)))]
        assert sorted(map(sorted, own)) == sorted(
            sorted(np.flatnonzero([number == group for number in often.assigned[:30]]))
            for group in range(len(sizes(often)))
        )
        assert often.clusters[0].size >= 100
        assert len({central.text for central in often.clusters[0].central}) == 3

    def test_strangers_are_left_out(self):
        """Texts that are of no group's kind are among those that fit nowhere; the others stay."""
        rng = np.random.default_rng(0)
        clouds = np.repeat(np.eye(256)[:8], 20, axis=0) + 0.05 * rng.standard_normal((160, 256))
        vectors = np.concatenate([clouds, rng.standard_normal((4, 256))]).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = embedclf.cluster([f"text {row}" for row in range(164)], vectors=vectors)
        assert sizes(found) == [20] * 8
        assert found.assigned[-4:] == (None,) * 4

    def test_embedded_texts(self):
        """One stands for its texts and vectors."""
        assert embedclf.cluster(embedclf.EmbeddedTexts(TEXTS, embedder="wordllama"), 4) == embedclf.cluster(TEXTS, 4)

    def test_the_same_again(self):
        """The same texts give the same groups and names."""
        assert embedclf.cluster(TEXTS) == embedclf.cluster(TEXTS)
        assert embedclf.cluster(TEXTS, 4) == embedclf.cluster(TEXTS, 4)

    def test_no_name_is_part_of_another(self):
        """So that each can be replaced everywhere by itself."""
        names = [
            one.name for one in embedclf.cluster([f"{text} {end}" for text in TEXTS for end in ENDS], 120).clusters
        ]
        assert len(names) == 120
        assert names[0].startswith("001_")
        assert not [(one, other) for one in names for other in names if one != other and one in other]

    def test_texts_that_the_embedder_does_not_tell_apart(self):
        """They cannot be in different groups, and the error says why."""
        with pytest.raises(embedclf.ArgumentError) as raised:
            embedclf.cluster(["x", "y"], 2, vectors=np.ones((2, 4), dtype=np.float32) / 2)
        assert str(raised.value) == "cannot form 2 clusters: the texts have only 1 distinct vector"

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"texts": []}, embedclf.ArgumentError, "there are no texts to cluster"),
            (
                {"texts": ["x"], "n_clusters": 0},
                embedclf.ArgumentError,
                "n_clusters must be an integer of at least 1, not 0",
            ),
            ({"texts": ["x"], "n_clusters": 1.5}, TypeError, "n_clusters must be an integer, not 1.5"),
            (
                {"texts": ["x", "x"], "n_clusters": 2},
                embedclf.ArgumentError,
                "cannot form 2 clusters from 1 distinct text: ask for 1 or fewer, or leave the number out",
            ),
            (
                {"texts": ["x", "y"], "vectors": np.ones((3, 4))},
                embedclf.ArgumentError,
                "got 2 texts but 3 vectors",
            ),
            (
                {"texts": ["x", " "]},
                embedclf.TextError,
                "1 text cannot be embedded (texts[1]: the text is empty)",
            ),
        ],
    )
    def test_what_cannot_be(self, arguments, error, message):
        """An error says what is wrong."""
        with pytest.raises(error) as raised:
            embedclf.cluster(**arguments)
        assert str(raised.value) == message


class TestCommunities:
    """Groups of a graph."""

    @pytest.fixture
    def caves(self):
        """Six cliques of five nodes, each linked to the next by one link."""
        from scipy import sparse

        weights = np.kron(np.eye(6), np.ones((5, 5)) - np.eye(5))
        for one in range(6):
            other = (5 * one + 5) % 30
            weights[5 * one + 4, other] = weights[other, 5 * one + 4] = 1
        return sparse.csr_array(weights)

    def test_cliques_are_found(self, caves):
        """In whatever order the nodes are looked at."""
        for seed in range(10):
            assert communities(caves, 1.0, seed=seed).tolist() == np.repeat(np.arange(6), 5).tolist()

    def test_neighbours_are_joined_first(self, caves):
        """Three groups are three pairs of neighbouring cliques; more than six cut cliques into parts."""
        three = exactly(caves, 3, 1.0)
        assert np.bincount(three).tolist() == [10, 10, 10]
        assert (three.reshape(6, 5) == three[::5, None]).all()
        assert len(np.unique(exactly(caves, 9, 1.0))) == 9

    @pytest.mark.parametrize("n_groups", range(1, 31))
    def test_any_number_of_groups(self, caves, n_groups: int):
        """They are numbered from 0, in order of their first nodes."""
        groups, first = np.unique(exactly(caves, n_groups, 1.0), return_index=True)
        assert groups.tolist() == list(range(n_groups))
        assert first.tolist() == sorted(first)

    def test_nodes_without_links(self, caves):
        """Each is a group of its own; the smallest are joined when no links are left to join by."""
        from scipy import sparse

        alone = sparse.csr_array((4, 4))
        assert communities(alone, 1.0).tolist() == [0, 1, 2, 3]
        assert communities(sparse.csr_array((1, 1)), 1.0).tolist() == [0]
        assert [len(np.unique(exactly(alone, n, 1.0))) for n in (1, 2, 3, 4)] == [1, 2, 3, 4]
        both = sparse.csr_array(sparse.block_diag([alone, caves]))
        assert communities(both, 1.0).tolist() == [0, 1, 2, 3, *np.repeat(np.arange(4, 10), 5)]
        assert exactly(both, 2, 1.0).tolist() == [0] * 4 + [1] * 30

    def test_the_same_in_any_thread(self):
        """A seed gives the same groups again, also where others are looked for at the same time."""
        from scipy import sparse

        weights = np.random.default_rng(0).random((200, 200))
        weights = np.where(weights + weights.T > 1.7, weights + weights.T, 0)
        np.fill_diagonal(weights, 0)
        graph = sparse.csr_array(weights)
        expected = {seed: communities(graph, 1.0, seed=seed).tolist() for seed in range(4)}
        assert len(set(map(str, expected.values()))) > 1
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda seed: communities(graph, 1.0, seed=seed % 4).tolist(), range(16))
            assert list(found) == [expected[seed % 4] for seed in range(16)]


class TestWords:
    """What sets groups apart."""

    def test_what_words_are(self):
        """In small letters, whole with their marks, without numbers; of scripts without spaces, pieces."""
        assert list(readable_words("Didn’t the CARD work? 3 x 25 abc123")) == ["the", "card", "work", "abc123"]
        assert list(readable_words("L'argent n'est pas là")) == ["argent", "est", "pas", "là"]
        assert list(readable_words("हिन्दी में")) == ["हिन्दी", "में"]
        assert list(readable_words("我的银行卡ABC")) == ["我的", "的银", "银行", "行卡", "abc"]
        assert list(readable_words("エアコンから水が漏れます。時刻表です")) == ["エアコン", "水", "漏", "時刻", "刻表"]
        assert list(readable_words("บัตรหาย")) == ["บัตร", "ัตรห", "ตรหา", "รหาย"]
        assert list(readable_words("x" * 10_000 + " ???")) == []

    def test_what_all_have_sets_nothing_apart(self):
        """However frequent it is."""
        groups = [["the parcel is late", "the parcel is lost"], ["the refund is late", "the refunds came early"]]
        assert distinctive_words(groups, 8) == [["parcel", "lost"], ["early", "refund"]]

    def test_stop_words_name_nothing(self):
        """Neither English ones, nor those of other languages where these are found, however unevenly they are used."""
        groups = [["you and your cat", "you and your card"], ["we did the van", "what will be"]]
        assert distinctive_words(groups, 8) == [["card", "cat"], ["van"]]
        german = [["ich habe die Katze nicht", "ich und die Katze"], ["wo ist der Hund", "der Hund ist auch noch da"]]
        assert distinctive_words(german, 8) == [["katze"], ["hund"]]

    def test_what_is_in_most_texts_names_nothing(self):
        """In any language, if there are many groups."""
        groups = [[f"zzyzx {name}{n}" for n in range(3)] for name in "abcdefgh"]
        assert all("zzyzx" not in words for words in distinctive_words([*groups, ["i"]], 8))

    def test_a_text_counts_once(self):
        """One that repeats itself does not speak for its group."""
        groups = [["spam " * 100, "parcel late", "parcel lost"], ["refund"]]
        assert distinctive_words(groups, 1) == [["parcel"], ["refund"]]
