"""Label a large file on a Dask cluster.

    pip install 'embedclf[dask]'
    python examples/on_dask.py models/example.safetensors new.csv labelled.csv tcp://scheduler:8786

Without an address, it starts a cluster on this machine. If the run is interrupted, the same command continues it.
"""

import sys

import joblib
from distributed import Client

import embedclf


def main(model: str, source: str, target: str, scheduler: str | None = None) -> None:
    local = {} if scheduler else {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with Client(scheduler, **local) as client, joblib.parallel_config("dask", client=client):
        done = embedclf.predict_file(embedclf.load(model), source, target, resume=True)
    print(f"{done.rows:,} rows, {done.n_faults:,} could not be classified")


if __name__ == "__main__":
    main(*sys.argv[1:])
