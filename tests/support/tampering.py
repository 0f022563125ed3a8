"""Model files with something changed."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import save_file


def rewrite(source: Path, place: Path, tensors=None, **changes) -> Path:
    """Copy a model file, without its checksum, with other tensors or metadata; a change to ... leaves the entry out."""
    with safe_open(source, framework="numpy") as file:
        metadata = json.loads(file.metadata()["embedclf"])
        metadata.pop("blake2b", None)
        old = {name: file.get_tensor(name) for name in ("weights", "bias")}
    metadata = {key: value for key, value in {**metadata, **changes}.items() if value is not ...}
    save_file({**old, **(tensors or {})}, place, metadata={"embedclf": json.dumps(metadata)})
    return place
