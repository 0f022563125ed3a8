"""The models that fastembed names: what is known of them, and how they get onto this machine."""

import logging
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from embedclf.arrays import Vectors
from embedclf.embedding.aimlapi.api_key import redact
from embedclf.embedding.base import FOLDER
from embedclf.embedding.cache.vector_cache import default_folder
from embedclf.embedding.onnx_folder import TokenIds
from embedclf.errors import EmbedderError
from embedclf.phases import phase

logger = logging.getLogger(__name__)


class Facts(NamedTuple):
    """What is known of a model before it is loaded.

    Attributes
    ----------
    name : str
        As fastembed writes it.
    dimensions : int
    english_only : bool
    input_tokens : int or None
        The most in one piece, including special ones; None if not looked up.
    mteb : float or None
        Average of its 56 English tasks in per cent, from its maker; None if not published.
    """

    name: str
    dimensions: int
    english_only: bool
    input_tokens: int | None = None
    mteb: float | None = None


# The models that `embedclf embedders` lists; to open one of these, fastembed, which takes a second, is not imported.
LISTED = (
    Facts("BAAI/bge-small-en-v1.5", 384, True, 512, 62.2),
    Facts("BAAI/bge-base-en-v1.5", 768, True, 512, 63.6),
    Facts("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 384, False, 128),
)
_MOST_SUGGESTED = 2
_LIST_ALL = "python -c \"import fastembed as f; print(*(m['model'] for m in f.TextEmbedding.list_supported_models()))\""
# Besides the files that belong to a model; some may be missing.
_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_TOKEN_OF_HUB = re.compile(r"hf_\w{8,}")
_PASSWORD = re.compile("//[^/@]*@")


def facts_of(name: str) -> Facts:
    """Return what is known of a model, whose name may be in upper or lower case.

    Raises
    ------
    EmbedderError
        If fastembed does not have the model.
    """
    for one in LISTED:
        if one.name.lower() == name.lower():
            return one
    described = {one["model"].lower(): one for one in _all()}
    if (found := described.get(name.lower())) is not None:
        return Facts(found["model"], found["dim"], "English," in found["description"])
    raise EmbedderError(
        f"unknown model fastembed:{name}. {_advice(name, [one['model'] for one in described.values()])}"
    )


def _advice(name: str, names: list[str]) -> str:
    if name.startswith(FOLDER):
        return "It was in a folder, known by its content: pass its path, fastembed:/path/to/folder"
    if Path(name).is_dir():
        return f"For the folder of this name: fastembed:./{name}"
    lower = {one.lower(): one for one in names}
    near = get_close_matches(name.lower(), lower, _MOST_SUGGESTED, 0.8) or [
        one for one in lower if one.endswith(f"/{name.lower()}")
    ]
    said = f"Did you mean {' or '.join(lower[one] for one in near)}? " if near else ""
    few = ", ".join(one.name for one in LISTED)
    more = f"{len(names) - len(LISTED)} more: {_LIST_ALL}"
    return f"{said}fastembed has {few} and {more}. A folder: fastembed:/path/to/folder"


def _all() -> list[dict[str, Any]]:
    from fastembed import TextEmbedding

    return TextEmbedding.list_supported_models()


class NamedModel:
    """A model that fastembed names, loaded with fastembed, which knows how its vectors are made.

    Parameters
    ----------
    name : str
    n_threads : int or None
        Of one call; None leaves it to onnxruntime.

    Attributes
    ----------
    max_tokens : int
        The most that the model takes, including special ones.

    Raises
    ------
    EmbedderError
        If it is not on this machine and cannot be downloaded, or cannot be loaded.
    """

    def __init__(self, name: str, n_threads: int | None) -> None:
        self._name = name
        folder = _folder_of(name)
        try:
            from fastembed import TextEmbedding
            from tokenizers import Tokenizer

            # With the path of the folder, fastembed looks for nothing anywhere else.
            self._model = TextEmbedding(
                name,
                cache_dir=str(folder.parent),
                threads=n_threads,
                specific_model_path=str(folder),
                local_files_only=True,
            )
            own: Any = self._model.model.tokenizer  # type: ignore[attr-defined]
            # Their own cuts and pads.
            self._tokenizer = Tokenizer.from_str(own.to_str())
        except Exception as error:  # onnxruntime's, tokenizers' and fastembed's own
            raise EmbedderError(
                f"fastembed:{name} cannot be loaded from {folder}: {redact(str(error))}. If its files are damaged, "
                "delete the folder, and it is downloaded again"
            ) from error
        self.max_tokens: int = (self._tokenizer.truncation or {}).get("max_length", 512)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @property
    def can_pad(self) -> bool:
        """True."""
        return True

    def token_ids(self, texts: list[str]) -> list[TokenIds]:
        """Return the tokens of texts, which are not cut."""
        return [np.array(one.ids, dtype=np.int64) for one in self._tokenizer.encode_batch_fast(texts)]

    def embed(self, texts: list[str], token_ids: list[TokenIds]) -> Vectors:
        """Return the vectors of texts, of any length."""
        try:
            return np.array(list(self._model.embed(texts, batch_size=len(texts))), dtype=np.float32)
        except Exception as error:  # onnxruntime's own
            raise EmbedderError(f"fastembed:{self._name} failed: {redact(str(error))}") from error


def _folder_of(name: str) -> Path:
    """Return the folder of a model's files; download them, after saying so, if they are not on this machine.

    Raises
    ------
    EmbedderError
        If they cannot be downloaded.
    """
    from huggingface_hub import snapshot_download
    from tqdm.auto import tqdm

    described = next(one for one in _all() if one["model"] == name)
    repository, own = described["sources"]["hf"], [described["model_file"], *described["additional_files"]]
    kept = Path(os.environ.get("FASTEMBED_CACHE_PATH") or default_folder() / "fastembed").expanduser().absolute()

    endpoint = os.environ.get("HF_ENDPOINT") or None

    def fetched(**how: Any) -> Path:
        files = [*_FILES, *own]
        return Path(snapshot_download(repository, cache_dir=kept, allow_patterns=files, endpoint=endpoint, **how))

    try:
        found = fetched(local_files_only=True)
        if all((found / file).is_file() for file in ("tokenizer.json", *own)):
            return found
    except Exception:  # noqa: BLE001, S110 - whatever the reason, it is not there
        pass

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *given: Any, **how: Any) -> None:
            super().__init__(*given, **how | {"disable": True})

    hub = _PASSWORD.sub("//", endpoint or "https://huggingface.co")
    logger.info(
        "Downloading %s (about %s) from %s/%s to %s, once.", name, _size(described["size_in_GB"]), hub, repository, kept
    )
    try:
        with phase(f"Downloading {name}"):
            return fetched(tqdm_class=Silent)
    except Exception as error:  # noqa: BLE001 - proxies, certificates and full disks fail in many ways
        said = str(error).removeprefix("Got: ").partition("\n")[0]
        fault = f"{_TOKEN_OF_HUB.sub('…', redact(said))} ({type(error).__name__})"
    # Not chained: the error holds the request, and so perhaps a token of the hub.
    raise EmbedderError(
        f"fastembed:{name} is not on this machine and cannot be downloaded from {hub}: {fault}. Copy {kept} from a "
        "machine that has it, or the model's folder and use fastembed:/path/to/folder"
    )


def _size(gigabytes: float) -> str:
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{gigabytes * 1000:.0f} MB"
