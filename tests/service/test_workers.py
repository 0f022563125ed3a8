"""A service of several processes, each with its share of the limit."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import TEXTS
from embedclf.service.reloading import ModelFile
from embedclf.service.workers import n_workers
from serving import ask, serving

SMALL_MODEL = "aimlapi:text-embedding-3-small"


@pytest.mark.parametrize(
    ("command", "environment", "n"),
    [
        (["/bin/uvicorn", "--workers", "4", "app:app"], {}, 4),
        (["/lib/uvicorn/__main__.py", "app:app", "--workers=3"], {}, 3),
        (["uvicorn", "app:app"], {"WEB_CONCURRENCY": "5"}, 5),
        (["uvicorn", "app:app"], {}, 1),
        (["uvicorn", "app:app", "--workers"], {"WEB_CONCURRENCY": "many"}, 1),
        (["gunicorn", "-w", "2", "app:app"], {"WEB_CONCURRENCY": "5"}, 2),
        (["gunicorn", "-w2", "app:app"], {}, 2),
        (["gunicorn", "app:app"], {"GUNICORN_CMD_ARGS": "--bind=:80 --workers=6"}, 6),
        (["embedclf", "serve"], {"WEB_CONCURRENCY": "5"}, 1),
        (["train.py", "--workers", "8"], {}, 1),
        ([], {}, 1),
    ],
)
def test_how_many_there_are(monkeypatch: pytest.MonkeyPatch, command: list[str], environment: dict[str, str], n: int):
    for name in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", command)
    assert n_workers() == n


@pytest.mark.parametrize("from_file", [False, True])
def test_each_has_its_share(
    api: AimlapiServer,
    trained: embedclf.TextClassifier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    from_file: bool,
):
    """It is said at the start; what is cached still gets an answer when it is spent, also after a reload."""
    embedder = embedclf.open_embedder(SMALL_MODEL, dimensions=256)
    model = replace(trained.card, embedder=embedder.spec)
    path = Path("m.safetensors")
    embedclf.TextClassifier(embedder, trained.model, model).save(path)
    settings = {"max_cost": 1.6e-4, "retries": 0, "cache": True}
    source = ModelFile(path, **settings)
    classifier = source.load() if from_file else embedclf.load(path, **settings)
    monkeypatch.setattr(sys, "argv", ["uvicorn", "--workers", "4"])
    with caplog.at_level(logging.WARNING):
        app = embedclf.create_app(classifier, source=source if from_file else None)
    assert caplog.messages == ["--max-cost (max_cost): $0.00004 for each of 4 workers"]
    with serving(app) as client:
        asked = [f"{number:02} {TEXTS[0]}".ljust(400, ".") for number in range(25)]
        answers = [ask(client, text).status_code for text in asked]
        assert (answers[0], answers[-1]) == (200, 503)
        assert ask(client, asked[0]).status_code == 200
        assert 0.75 * 4e-5 <= api.dollars_charged <= 4e-5
        if from_file:
            assert source.load().embedder.max_cost == pytest.approx(4e-5)
