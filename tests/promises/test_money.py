"""What embedding costs: said, estimated, bounded, and written down."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import embedclf
from aimlapi_server import CREDITS_PER_DOLLAR, AimlapiServer, Request, Response, charge, error, tokens
from corpus import LABELS, QUICK, QUICKLY, TEXTS
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.charges import read_charge
from embedclf.embedding.usage import Usage
from embedclf.formatting import exact_dollars
from running import Cli

SMALL_MODEL = "aimlapi:text-embedding-3-small"
TOKENS = sum(tokens(text) for text in TEXTS)
PRICE = 0.02e-6


# What a run costs does not depend on how the classifier is chosen.


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """500 rows, of which 20 come twice, with 6 tokens each."""
    path = tmp_path / "many.csv"
    rows = [f"this is row number {number:04}.,{'ab'[number % 2]}\n" for number in range(480)]
    path.write_text("text,label\n" + "".join(rows + rows[:20]))
    return path


def usage_line(stderr: str) -> str:
    (line,) = [line for line in stderr.splitlines() if line.startswith("Embedding: ")]
    return line


@pytest.mark.slow
def test_each_run_says_what_it_took(cli: Cli, api: AimlapiServer, many: Path):
    """Texts, from the cache, duplicates, requests, tokens, credits, dollars: in one line."""
    assert usage_line(cli("train", many, *QUICKLY).stderr) == (
        "Embedding: 500 texts, 0 from cache, 20 duplicates, 15 requests, 2,880 tokens, 120 credits, $0.00006 charged"
    )
    assert usage_line(cli("evaluate", many).stderr) == (
        "Embedding: 500 texts, 480 from cache, 20 duplicates, 0 requests, 0 tokens, 0 credits, $0.00"
    )
    assert usage_line(cli("predict", "a new one").stderr) == (
        "Embedding: 1 text, 0 from cache, 0 duplicates, 1 request, 3 tokens, 1 credit, $0.0000005 charged"
    )


def test_a_run_on_this_machine_says_nothing(cli: Cli, dataset: Path):
    """It costs nothing."""
    assert "Embedding: " not in cli("train", dataset).stderr


@pytest.mark.slow
def test_usage_in_json(cli: Cli, api: AimlapiServer, many: Path):
    """The same, for a program; zeros where it costs nothing."""
    usage = json.loads(cli("train", many, *QUICKLY, "--json").stdout)["usage"]
    assert usage == {
        "texts": 500,
        "from_cache": 0,
        "duplicates": 20,
        "requests": 15,
        "tokens": 2_880,
        "credits": 120,  # 15 requests, each rounded up from 7.68
        "dollars": pytest.approx(120 / CREDITS_PER_DOLLAR),
        "saved_tokens": 0,
        "charged_answers": 15,
        "charged_tokens": 2_880,
        "charged_dollars": pytest.approx(120 / CREDITS_PER_DOLLAR),
        "dollars_source": "charged",
    }
    usage = json.loads(cli("evaluate", many, "--json").stdout)["usage"]
    assert (usage["from_cache"], usage["requests"], usage["dollars"], usage["saved_tokens"]) == (480, 0, 0.0, 2_880)
    usage = json.loads(cli("train", many, *QUICKLY, "--embedder", "wordllama", "--json").stdout)["usage"]
    assert usage == Usage().to_dict()


def test_train_json_has_what_the_text_has(cli: Cli, dataset: Path):
    """Where it is, of what, and how good."""
    shown = json.loads(cli("train", dataset, "-o", "m.safetensors", "--json").stdout)
    assert shown["model"] == "m.safetensors"
    assert shown["classes"] == ["delivery", "password", "refund"]
    assert shown["embedder"] == {
        "provider": "wordllama",
        "model": "l2_supercat",
        "dimensions": 256,
        "endpoint": None,
    }
    assert shown["n_examples"] == 30
    assert set(shown["held_out"]) == {
        *("accuracy", "macro_f1", "ece", "n_examples"),
        *("coverage", "answered_accuracy", "out_of_scope_recall"),
        *("baseline_accuracy", "words_accuracy"),
    }


class TestDryRun:
    """--dry-run does everything but send."""

    @pytest.mark.parametrize("has_key", [True, False])
    def test_train(self, cli: Cli, api: AimlapiServer, many: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool):
        """With a key or without, when a server on this machine is free; nothing is written."""
        if not has_key:
            monkeypatch.delenv("AIMLAPI_API_KEY")
        result = cli("train", many, "--embedder", "aimlapi", "--dry-run")
        assert result.exit_code == 0
        cost = "less than $0.0001 at the list price" if has_key else "price unknown"
        assert result.stdout == (
            f"500 rows, 480 unique, 0 cached, 480 to embed: about 2,880 tokens (at most 11,520), {cost}\n"
        )
        assert result.stderr.endswith("Dry run: nothing was sent.\n")
        assert api.n_requests == 0
        assert not Path("models").exists()
        assert VectorCache().info() == []

    @pytest.mark.slow
    def test_what_is_cached_costs_nothing(self, cli: Cli, api: AimlapiServer, many: Path):
        """It is counted as such; evaluate and predict say the same."""
        cli("train", many, *QUICKLY)
        asked = api.n_requests
        all_cached = "500 rows, 480 unique, 480 cached, 0 to embed: about 0 tokens (at most 0), about $0.00\n"
        assert cli("train", many, *QUICKLY, "--dry-run").stdout == all_cached
        assert cli("evaluate", many, "--dry-run").stdout == all_cached
        assert cli("predict", "--input", many, "--output", "out.csv", "--dry-run").stdout == all_cached
        assert cli("predict", "this is row number 0007.", "new", "new", "", "--dry-run").stdout == (
            "3 rows, 2 unique, 1 cached, 1 to embed: about 1 token (at most 3), less than $0.0001 at 1.04 × the list "
            "price, as charged so far\n"
        )
        assert not Path("out.csv").exists()
        assert api.n_requests == asked

    def test_in_json(self, cli: Cli, api: AimlapiServer, many: Path):
        """For a program."""
        shown = json.loads(cli("train", many, *QUICKLY, "--dry-run", "--json").stdout)
        assert shown == {
            "dry_run": True,
            "estimate": {
                "texts": 500,
                "unique": 480,
                "from_cache": 0,
                "to_embed": 480,
                "tokens": 2_880,
                "most_tokens": 11_520,
                "dollars": pytest.approx(2_880 * PRICE),
                "most_dollars": pytest.approx(11_520 * PRICE),
                "price_source": "at the list price",
            },
        }

    def test_on_this_machine(self, cli: Cli, dataset: Path):
        """It is free."""
        assert cli("train", dataset, "--dry-run").stdout == ("30 rows, 30 unique, 0 cached, 30 to embed, free\n")

    def test_without_a_known_price(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """It says so."""
        result = cli("train", dataset, "--embedder", "aimlapi:voyage-2", "--dry-run")
        assert result.stdout.endswith("(at most 934), price unknown\n")

    def test_the_estimate_is_near(self, api: AimlapiServer):
        """What is sent afterwards is what was said, where a token has four bytes."""
        embedder = embedclf.open_embedder(SMALL_MODEL)
        estimate = embedder.estimate(TEXTS)
        embedder.embed(TEXTS)
        assert embedder.usage.tokens == TOKENS == estimate.tokens
        assert embedder.usage.dollars == pytest.approx(estimate.dollars, abs=1 / CREDITS_PER_DOLLAR)


class TestMaxCost:
    """--max-cost holds."""

    def test_it_does_not_start_if_it_is_about_to_cost_more(self, cli: Cli, api: AimlapiServer, many: Path):
        """And says what it would cost."""
        result = cli("train", many, *QUICKLY, "--max-cost", "0.00005", "--no-cache")
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "Error: embedding 480 texts would cost about $0.0000576 at the list price (at most $0.0002304), but "
            "--max-cost is $0.00005: nothing was sent\n"
        )
        assert api.n_requests == 0

    @pytest.mark.slow
    def test_what_is_cached_counts_for_nothing(self, cli: Cli, api: AimlapiServer, many: Path):
        """The second run is free."""
        cli("train", many, *QUICKLY)
        assert cli("train", many, *QUICKLY, "--max-cost", "0").exit_code == 0

    def test_it_stops_before_it_is_spent(self, cli: Cli, api: AimlapiServer, many: Path):
        """Though the list price would have been within it; what was paid for is kept, and the next run goes on."""
        api.factor = 2.0
        result = cli("train", many, *QUICKLY, "--max-cost", "0.00006")
        assert result.exit_code == 1
        spent = api.dollars_charged
        assert 0.9 * 0.00006 <= spent <= 0.00006
        assert result.stderr.endswith(
            f"Error: {exact_dollars(spent)} spent of --max-cost $0.00006: stopped before the request that could exceed "
            "it; results received before are in the cache\n"
        )
        assert VectorCache().info()[0].n_vectors == len(api.texts_sent)
        # The estimate is what was charged now, not what is listed.
        result = cli("train", many, *QUICKLY, "--max-cost", "0.00001")
        assert "× the list price, as charged so far (at most $" in result.stderr
        assert api.dollars_charged == spent

    @pytest.mark.parametrize("factor", [1.0, 1.05, 1.3, 2.0])
    @pytest.mark.parametrize("model", ["text-embedding-3-small", "of-unknown-price"])
    def test_it_holds_whatever_is_charged(self, api: AimlapiServer, model: str, factor: float):
        """With 32 requests at once, and texts of very different length: never more, and little less."""
        api.factor, api.delay = factor, 0.02
        api.models |= {"of-unknown-price": 64}
        api.prices |= {"of-unknown-price": 0.05}
        lengths = np.geomspace(1, 8_000, 300).astype(int)
        texts = [(f"{number} words " * 1_000)[:length] for number, length in enumerate(lengths, 1_000)]
        listed = sum(map(tokens, texts)) * api.prices[model] / 1e6
        limit = 0.6 * factor * listed if model == "of-unknown-price" else 1.03 * listed
        embedder = embedclf.open_embedder(f"aimlapi:{model}", max_cost=limit, concurrency=32)
        try:
            embedder.embed(texts)
            assert factor < 1.1
        except embedclf.MaxCostError:
            assert api.dollars_charged >= 0.9 * limit
        assert api.dollars_charged <= limit
        assert embedder.usage.credits == api.credits_charged
        assert embedder.usage.dollars == pytest.approx(api.dollars_charged, abs=1e-12)

    @pytest.mark.parametrize(("long", "is_sent"), [("made of more words " * 800, True), ("你好世界，" * 1_000, False)])
    def test_a_long_text_among_short_ones(self, api: AimlapiServer, long: str, is_sent: bool):
        """It costs most of the limit: it goes if it is made like the others, so that its cost can be told."""
        api.factor = 1.3
        texts = [f"row number {number}" for number in range(200)] + [long]
        n_tokens = sum(map(tokens, texts))
        limit = charge(n_tokens, 0.02, 1.3) / CREDITS_PER_DOLLAR / 0.9
        embedder = embedclf.open_embedder(SMALL_MODEL, max_cost=limit)
        if is_sent:
            embedder.embed(texts)
        else:
            with pytest.raises(embedclf.MaxCostError):
                embedder.embed(texts)
        assert (long in api.texts_sent) == is_sent
        assert api.dollars_charged <= limit

    def test_it_holds_over_all_calls(self, api: AimlapiServer):
        """Of one embedder, in Python."""
        embedder = embedclf.open_embedder(SMALL_MODEL, max_cost=200 * PRICE)
        embedder.embed(["seven tokens, or near to it"])
        with pytest.raises(
            embedclf.MaxCostError, match=r"\(\$0\.0000005 already spent\): nothing more was sent"
        ) as hit:
            embedder.embed(["seven other tokens, or near to it" * 24])
        assert hit.value.limit == 200 * PRICE
        assert hit.value.spent == 1 / CREDITS_PER_DOLLAR
        assert api.n_requests == 1

    def test_a_server_that_does_not_say_what_an_unknown_model_costs(self, api: AimlapiServer):
        """Is found out by one small request; on this machine it is free."""
        api.tells, api.models = (), api.models | {"new": 64}
        embedder = embedclf.open_embedder("aimlapi:new", max_cost=0.01)
        embedder.embed(TEXTS)
        assert embedder.usage.dollars is None

    def test_what_got_no_answer_may_be_charged(self, api: AimlapiServer):
        """So it counts against the limit, and the error says so."""
        api.fault = lambda request: Response(drop=True)
        embedder = embedclf.open_embedder(SMALL_MODEL, max_cost=0.0001, retries=1)
        with pytest.raises(embedclf.EmbedderError):
            embedder.embed(TEXTS)
        api.fault = None
        with pytest.raises(embedclf.MaxCostError, match=r"and up to \$[\d.]+ more for \d+ requests without an answer"):
            embedder.embed(["word " * 3_000])

    def test_predict_looks_at_the_whole_file_first(self, cli: Cli, api: AimlapiServer, many: Path):
        """Before the first row is labelled."""
        cli("train", many, *QUICKLY, "-o", "m.safetensors")
        Path("new.csv").write_text(many.read_text().replace("row", "line"))
        api.reset()
        done = cli("predict", "-m", "m.safetensors", "--input", "new.csv", "--max-cost", "0.00001")
        assert done.exit_code == 1
        assert "nothing was sent" in done.stderr
        assert done.stdout == ""
        done = cli("predict", "-m", "m.safetensors", "--input", "new.csv", "--max-cost", "1")
        assert done.exit_code == 0
        assert len(done.stdout.splitlines()) == 500

    @pytest.mark.slow
    def test_predict_looks_at_all_of_the_standard_input_first(self, process, cli: Cli, api: AimlapiServer, many: Path):
        """It cannot be read again, so it is kept."""
        cli("train", many, *QUICKLY, "-o", "m.safetensors")
        text = many.read_text().replace("row", "line")
        for most, code, lines in (("0.00001", 1, 0), ("1", 0, 500)):
            done = process("predict", "-m", "m.safetensors", "--input", "-", "--max-cost", most, stdin=text)
            assert (done.returncode, len(done.stdout.splitlines())) == (code, lines)

    def test_a_provider_that_says_nothing_cannot_be_held(self, cli: Cli, dataset: Path):
        """LangChain's report no cost."""
        result = cli("train", dataset, "--embedder", "ollama:m", "--max-cost", "1")
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "Error: ollama:m does not report what it charges, so --max-cost (max_cost) cannot be enforced\n"
        )


class TestCharged:
    """What the server says it charged is what is reported."""

    @pytest.mark.parametrize("tells", [("usd",), ("credits",), ("body",), ("usd", "credits", "body")])
    def test_wherever_it_says_it(self, api: AimlapiServer, tells: tuple[str, ...]):
        """In a header or the body, to the last credit."""
        api.factor, api.tells = 1.3, tells
        embedder = embedclf.open_embedder(SMALL_MODEL, batch_size=7)
        embedder.embed(TEXTS)
        usage = embedder.usage
        assert (usage.credits, usage.dollars_source) == (api.credits_charged, "charged")
        assert usage.dollars == pytest.approx(api.dollars_charged, abs=1e-12)

    @pytest.mark.parametrize("said", ["", "nan", "-1", "1e400", "free", "true"])
    def test_nonsense_is_no_charge(self, api: AimlapiServer, said: str):
        """It is estimated then."""
        headers = {"x-aimlapi-usd-spent": said, "x-aimlapi-credits-used": said}
        assert read_charge(headers, {"meta": {"usage": {"credits_used": True, "usd_spent": None}}}) is None
        assert read_charge({}, {"meta": []}) is None
        assert read_charge({"x-aimlapi-usd-spent": "0.000000000"}, {}) == (0, 0)

    def test_what_cannot_be_used_was_charged_all_the_same(self, api: AimlapiServer):
        """A vector is missing."""
        api.tamper = lambda answer: {**answer, "data": answer["data"][1:]}
        embedder = embedclf.open_embedder(SMALL_MODEL)
        with pytest.raises(embedclf.EmbedderError, match="unusable"):
            embedder.embed(TEXTS)
        assert embedder.usage.credits == api.credits_charged > 0

    @pytest.mark.parametrize("limit", [None, 1.0])
    @pytest.mark.parametrize("how", ["an error", "an error in the body", "cut off"])
    def test_what_failed_was_charged_all_the_same(self, api: AimlapiServer, how: str, limit: float | None):
        """It is sent again, and paid for twice."""

        def fail(request: Request) -> Response | None:
            if request.number:
                return None
            said = {"x-aimlapi-usd-spent": "0.000005000"}
            if how == "an error":
                return replace(error(500, "Internal Server Error"), headers=said)
            if how == "cut off":
                return Response(200, b" " * 1_000, said, cut_after=1)
            return Response(500, b'{"message": "no", "meta": {"usage": {"credits_used": 10}}}')

        api.fault = fail
        embedder = embedclf.open_embedder(SMALL_MODEL, max_cost=limit)
        embedder.embed(TEXTS)
        usage = embedder.usage
        assert (usage.credits, usage.dollars_source) == (10 + api.credits_charged, "charged")
        assert usage.dollars == (10 + api.credits_charged) / CREDITS_PER_DOLLAR
        assert embedder.spent == usage.dollars

    def test_the_next_estimate_is_what_was_charged(self, api: AimlapiServer):
        """By model and endpoint; a model without a list price has what it cost."""
        api.factor, api.models = 1.3, api.models | {"new": 64}
        for name, source in (
            (SMALL_MODEL, "at 1.30 × the list price, as charged so far"),
            ("aimlapi:new", "at $0.156 per 1M tokens, as charged so far"),
        ):
            embedder = embedclf.open_embedder(name, cache=True)
            assert embedder.estimate(TEXTS).price_source == ("at the list price" if name == SMALL_MODEL else None)
            embedder.embed(["word " * 5_000])
            assert embedclf.open_embedder(name, cache=True).estimate(TEXTS).price_source == source


class TestLedger:
    """What each run spent is kept beside the cache."""

    def test_a_line_for_each_run(self, cli: Cli, api: AimlapiServer, many: Path):
        """With its time and model; what failed has cost something, too."""
        cli("train", many, *QUICKLY)
        cli("evaluate", many)
        cli("predict", "a new one")
        lines = (VectorCache().folder / "ledger.jsonl").read_text().splitlines()
        runs = [json.loads(line) for line in lines]
        assert [(run["requests"], run["tokens"], run["from_cache"]) for run in runs] == [
            (15, 2_880, 0),
            (0, 0, 480),
            (1, 3, 0),
        ]
        for run in runs:
            assert run["model"] == "text-embedding-3-small"
            assert run["endpoint"] == api.base_url
            assert run["time"].startswith("20")
            assert run["time"].endswith("+00:00")

    @pytest.mark.slow
    def test_totals(self, cli: Cli, api: AimlapiServer, many: Path):
        """Per model, with what the cache has saved; a line that is cut is passed over."""
        for _ in range(3):
            cli("train", many, *QUICKLY)
        path = VectorCache().folder / "ledger.jsonl"
        path.write_bytes(path.read_bytes() + b'{"time": "2026\nnot JSON\n[]\n{"model": 1}\n')
        (total,) = VectorCache().spending("model").rows
        assert total.usage.texts == 1_500
        assert total.usage.from_cache == 960
        assert total.usage.saved_tokens == 2 * 2_880
        assert total.usage.dollars == pytest.approx(api.dollars_charged)
        row = cli("cache", "info").stdout.splitlines()[2]
        assert row.startswith(f"{SMALL_MODEL} at {api.base_url}  ")
        assert " ".join(row.split()).endswith(" 15 2,880 $0.00006 charged about $0.0001")

    def test_without_a_cache_there_is_none(self, cli: Cli, api: AimlapiServer, dataset: Path):
        """--no-cache leaves nothing behind."""
        cli("train", dataset, "--no-cache")
        assert not (VectorCache().folder / "ledger.jsonl").exists()

    def test_a_service_does_not_fill_the_disk(self, api: AimlapiServer):
        """What is served from the cache is written down at the end, not each time."""
        embedder = embedclf.open_embedder(SMALL_MODEL, cache=True)
        for _ in range(50):
            embedder.embed(["the same text"])
        assert len(VectorCache().ledger.entries()) == 1
        del embedder
        assert len(VectorCache().ledger.entries()) == 2
        (total,) = VectorCache().spending("model").rows
        assert (total.usage.texts, total.usage.from_cache, total.usage.requests) == (50, 49, 1)


def test_a_server_that_does_not_say_is_estimated(api: AimlapiServer):
    """Four bytes a token, at the list price; a limit holds by it."""
    api.tells = ()
    api.tamper = lambda answer: {name: answer[name] for name in ("object", "data", "model")}
    embedder = embedclf.open_embedder(SMALL_MODEL, max_cost=1.2 * TOKENS * PRICE)
    embedder.embed(TEXTS)
    usage = embedder.usage
    assert (usage.tokens, usage.credits, usage.dollars_source) == (TOKENS, 0, "estimated")
    assert usage.dollars == pytest.approx(TOKENS * PRICE)
    with pytest.raises(embedclf.MaxCostError, match=r"at the list price .*but --max-cost is"):
        embedder.embed(["more " * TOKENS])


def test_the_same_in_python(api: AimlapiServer):
    """`usage` of a classifier's embedder."""
    classifier = embedclf.train(TEXTS, LABELS, **QUICK)
    assert classifier.embedder.usage.requests == 1
    assert classifier.embedder.usage.to_dict()["tokens"] == TOKENS
