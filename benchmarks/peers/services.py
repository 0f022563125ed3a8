"""The service: one text a request, against a FastAPI application as people write it themselves."""

from contextlib import ExitStack
from statistics import median

from measuring import Setting, say
from start_up import ROOT, save_classifiers

CONNECTIONS = (1, 4, 32)
_SECONDS = 2.0
_RUNS = 3

# With {word} as "def" it runs in a pool of threads, with "async def" in the event loop.
PLAIN = """
import socket, sys
from pathlib import Path
import joblib, uvicorn, wordllama
from fastapi import FastAPI
from pydantic import BaseModel

llama = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
logistic = joblib.load({path!r})

class Asked(BaseModel):
    texts: list[str]

class Prediction(BaseModel):
    label: str
    confidence: float

class Answer(BaseModel):
    predictions: list[Prediction]

app = FastAPI()

@app.post("/predict")
{word} predict(asked: Asked) -> Answer:
    probabilities = logistic.predict_proba(llama.embed(asked.texts, norm=True))
    return Answer(predictions=[
        Prediction(label=logistic.classes_[row.argmax()], confidence=row.max()) for row in probabilities
    ])

listening = socket.create_server(("127.0.0.1", 0))
listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(f"at http://127.0.0.1:{{listening.getsockname()[1]}}", file=sys.stderr, flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
"""


def measure(setting: Setting) -> dict[str, object]:
    from service import Load, serving

    scratch = setting.scratch / "service"
    scratch.mkdir()
    save_classifiers(scratch)
    model = str(ROOT / "models" / "example.safetensors")
    path = str(scratch / "logistic.joblib")
    commands = {
        "embedclf serve": ("-m", "embedclf", "serve", "--port", "0", "-m", model, "--no-cache"),
        "FastAPI, def": ("-c", PLAIN.format(word="def", path=path)),
        "FastAPI, async def": ("-c", PLAIN.format(word="async def", path=path)),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    with ExitStack() as stack:
        ports = {}
        for number, (name, command) in enumerate(commands.items()):
            ports[name], _ = stack.enter_context(serving(*command, log=scratch / f"log-{number}"))
            Load(ports[name], max(CONNECTIONS), _SECONDS / 2)  # warms up
        for connections in CONNECTIONS:
            loads: dict[str, list[Load]] = {name: [] for name in commands}
            for _ in range(_RUNS):
                for name, port in ports.items():
                    loads[name].append(Load(port, connections, _SECONDS))
            for name, runs in loads.items():
                rate = median(load.rate for load in runs)
                p50 = 1_000 * median(latency for load in runs for latency in load.latencies)
                errors = sum(load.errors for load in runs)
                say(f"  {name}, {connections} at once: {rate:,.0f} requests/s, p50 {p50:.2f} ms, {errors} errors")
                found[name].append({"connections": connections, "rate": rate, "p50": p50, "errors": errors})
    return {"sides": found}
