"""Metrics of a service of several processes, which share ``PROMETHEUS_MULTIPROC_DIR``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TWO_PROCESSES = """
import os, sys
from fastapi.testclient import TestClient
import embedclf
from embedclf.service.reloading import ModelFile

file = ModelFile(sys.argv[1])
# Made in the parent, as by a server that loads its application first.
client = TestClient(embedclf.create_app(file.load(), source=file))
for texts in (["a parcel", ""], ["a refund"]):
    if os.fork() == 0:
        client.post("/predict", json={"texts": texts}).raise_for_status()
        os._exit(0)
    os.wait()
client.post("/predict", json={"texts": ["an invoice"]}).raise_for_status()
print(client.get("/metrics").text)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_several_processes_are_counted_together(model: Path):
    """The sum of all, whichever is asked; of those that have ended, the counts stay and the gauges go."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": "made/when/needed", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", TWO_PROCESSES, str(model)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for line in (
        'embedclf_requests_total{path="/predict",status="200"} 3.0',
        'embedclf_texts_total{result="labelled"} 3.0',
        'embedclf_texts_total{result="refused"} 1.0',
        'embedclf_request_seconds_count{path="/predict"} 3.0',
        "embedclf_requests_in_hand 0.0",
    ):
        assert line in lines
    (info,) = [line for line in lines if line.startswith("embedclf_model_info{")]
    assert info.endswith("} 1.0")
    # Each has a window of its own.
    (window,) = [line for line in lines if line.startswith("embedclf_window_texts{pid=")]
    assert window.endswith("} 1.0")
    assert "NaN" not in done.stdout
    kept = [path.name.split("_")[0] for path in Path("made/when/needed").iterdir()]
    assert sorted(kept) == sorted(["counter", *4 * ["gauge"], "histogram"] + 2 * ["counter", "histogram"])
