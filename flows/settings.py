"""Settings of a night: the defaults are the laptop's, a profile holds what differs from them."""

import os
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pydantic
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from tasks.audit.config import Ablation, Memorization
from tasks.base.config import BaseModelConfig
from tasks.baseline.config import Baseline
from tasks.decode.config import Decode, FreeText
from tasks.ingest.task import Ingest
from tasks.predict.config import Predict
from tasks.prompt.config import Prompt
from tasks.publish.config import Margins
from tasks.rank.config import Rank, Retrieve
from tasks.readout.config import Inference
from tasks.score.config import Score
from tasks.split.task import LeaveLast, Split
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.validate.task import Validate

ROOT = Path(__file__).resolve().parent.parent
PROFILES = Path(__file__).parent / "profiles"
WEBHOOK = "CONTENT_ADVISOR_WEBHOOK"
SHARED = ("prompt", "train", "inference", "score")  # rooms whose work a cluster may share
WEBHOOK_BLOCK = "content-advisor"  # on the server
Profile = Literal["laptop", "laptop-long", "legacy", "legacy-fair", "nightly", "smoke"]


class Settings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """One field a room (predict has one a door), and what the machine must have."""

    ingest: Ingest = Ingest()
    validation: Validate = Validate()
    split: Split = LeaveLast()
    base: BaseModelConfig = BaseModelConfig()
    prompt: Prompt = Prompt()
    train: Train = Train()
    inference: Inference = Inference()
    predict: Predict = Predict()
    decode: Decode = Decode()
    retrieve: Retrieve = Retrieve()
    rank: Rank = Rank()
    free_text: FreeText | None = None
    """Lists as the original notebooks wrote them, beside the others."""
    baseline: Baseline = Baseline()
    score: Score = Score()
    ablation: Ablation = Ablation()
    memorization: Memorization = Memorization()
    margins: Margins = Margins()  # of what a challenger may lose to the champion
    needs_gpu: bool = False
    """Refuse to start on a machine without an NVIDIA GPU."""
    cluster: str | None = None
    """Dask scheduler whose workers make the shards of every stage that has some."""
    wait: bool = True
    """Wait while another run works on the store; false: cancel this run."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _rooms_know_the_cluster(cls, told: dict[str, Any]) -> dict[str, Any]:
        """Say it once, and each room that has shards is told."""
        if "cluster" not in told:
            return told
        renamed = ("inference", "train", "prompt")
        keys = {name: "dask_address" if name in renamed else "cluster" for name in SHARED}
        return told | {
            name: {**told.get(name, {}), key: told["cluster"]} for name, key in keys.items()
        }


class SettingsError(ValueError):
    """A profile, or a change to one, that cannot be; or a machine that it cannot run on."""


def load(profile: str = "laptop", changes: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a profile, with changes in the same nested form on top.

    Raises SettingsError where there is no such profile, a setting is unknown or out of range, or
    the machine lacks what the profile needs.
    """
    known = sorted(file.stem for file in PROFILES.glob("*.toml"))
    if profile not in known:
        raise SettingsError(f'no profile "{profile}": there are {", ".join(known)}')
    merged = _merged(tomllib.loads((PROFILES / f"{profile}.toml").read_text()), changes or {})
    try:
        settings = Settings.model_validate(merged)
    except pydantic.ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()} (found {e['input']!r})"
            for e in error.errors()
        )
        raise SettingsError(f'profile "{profile}" does not fit: {told}') from None
    _refuse_without_means(profile, settings)
    return settings


def _refuse_without_means(profile: str, settings: Settings) -> None:
    """Raises SettingsError where the machine lacks what the settings need."""
    if settings.needs_gpu and shutil.which("nvidia-smi") is None:
        raise SettingsError(
            f'profile "{profile}" needs an NVIDIA GPU and this machine has none: '
            f"run it on one that has, or take profile=laptop"
        )
    if settings.base.four_bit:
        lacks = [
            name
            for name, there in {
                "an NVIDIA GPU": shutil.which("nvidia-smi"),
                "bitsandbytes": find_spec("bitsandbytes"),
            }.items()
            if not there
        ]
        if lacks:
            raise SettingsError(
                f"base.four_bit needs {' and '.join(lacks)}, which this machine lacks: "
                f"set it to false, or see the README on GPUs"
            )


def the_store() -> Store:
    """Where data/ and artifacts/ are: CONTENT_ADVISOR_STORE, or the project itself.

    CONTENT_ADVISOR_REMOTE is where they are kept as well: s3://bucket/prefix, or a mount's path.
    """
    root = Path(os.environ.get("CONTENT_ADVISOR_STORE", ROOT))
    return Store(root, remote=os.environ.get("CONTENT_ADVISOR_REMOTE") or None)


def webhook() -> str | None:
    """Where alarms go: CONTENT_ADVISOR_WEBHOOK, or what the server's webhook block says.

    It may hold a secret, and is written into that block alone.
    """
    if address := os.environ.get(WEBHOOK):
        return address
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        return client.read_block_document_by_name(WEBHOOK_BLOCK, "webhook").data["url"]
    return None


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries laid over one another, the second on top."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
