"""Settings of a run: the defaults are the laptop's, and a profile holds what differs from them."""

import logging
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pydantic

from flows.errors import ROOT
from flows.gpu import GpuError, find_gpu
from flows.overrides import Profile, SettingsError, leaves, overlay, read_form
from tasks.audit.config import Ablation, Memorization
from tasks.base.config import BaseModelConfig, Encoder
from tasks.base_models import find_base_model
from tasks.baseline.config import Baseline
from tasks.decode.config import Decode, FreeText
from tasks.forecast.config import Forecast
from tasks.ingest.task import Ingest
from tasks.liked import Liked
from tasks.predict.config import Predict
from tasks.prior.config import Prior
from tasks.prompt.config import Prompt
from tasks.publish.config import PromotionMargins
from tasks.rank.config import Rank, Retrieve
from tasks.readout.config import Inference
from tasks.score.config import Score
from tasks.serve.config import Serving
from tasks.serve.key_value import find_entry_point
from tasks.split.task import LeaveLast, Split
from tasks.store.private import keep_private
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.validate.task import Validate

log = logging.getLogger(__name__)
PROFILES = Path(__file__).parent / "profiles"
WEBHOOK = "CONTENT_ADVISOR_WEBHOOK"
NOTIFY = "CONTENT_ADVISOR_NOTIFY"
MLFLOW = "CONTENT_ADVISOR_MLFLOW"
TEMPORARY = 16 * 10**6  # bytes: Prefect's migrations and the rules of validation need a few
DISTRIBUTED_STAGES = ("prompt", "train", "inference", "score")  # can share their work by Dask
OPPONENTS = ("champion", "best")  # the roles of the adapters that a run's is compared with
WEBHOOK_BLOCK = "content-advisor"  # on the server
__all__ = ["Profile", "Settings", "SettingsError", "load", "open_store"]


class Settings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """One section for each task, and what a run needs of the machine."""

    ingest: Ingest = Ingest()
    validation: Validate = Validate()
    split: Split = LeaveLast()
    second_split: Split | None = None
    """Protocol of a second table, by all predictors that need no training; null: none."""
    base: BaseModelConfig = BaseModelConfig()
    encoder: Encoder = Encoder()
    prior: Prior = Prior()
    prompt: Prompt = Prompt()
    forecast: Forecast = Forecast()
    train: Train = Train()
    inference: Inference = Inference()
    predict: Predict = Predict()
    decode: Decode = Decode()
    retrieve: Retrieve = Retrieve()
    rank: Rank = Rank()
    free_text: FreeText | None = None
    """Lists as the original notebooks wrote them, beside the others."""
    baseline: Baseline = Baseline()
    liked: Liked = Liked()
    score: Score = Score()
    ablation: Ablation = Ablation()
    memorization: Memorization = Memorization()
    promotion: PromotionMargins = PromotionMargins()
    serving: Serving = Serving()
    needs_gpu: bool = False
    """Refuse to start on a machine without an NVIDIA GPU."""
    baselines_beside_training: bool = False
    """Make candidates and baselines in a process of their own while the adapter trains; for a
    machine whose model works on a GPU. The same bytes either way."""
    dask_address: str | None = None
    """Dask scheduler whose workers make the shards of every stage that has some."""
    max_hours: float = pydantic.Field(3, gt=0)
    """Refuse data, right after validation, on which the fits of one predictor would take longer,
    estimated from the number of ratings; and end a run before training where its `forecast` is
    longer."""
    timeout_hours: float = pydantic.Field(24, gt=0)
    """End a run that works longer on the store as TimedOut; the next one continues."""
    wait_for_lock: bool = True
    """Wait while another run works on the store; false: cancel this run."""

    @pydantic.model_validator(mode="after")
    def _predictors_exist(self) -> Self:
        """Names differ within ratings and within lists, and those referred to exist."""
        own = self.predict.predictor
        of_prior = ["bayesian_fm", "residual_trees", self.predict.head]
        of_prior = of_prior if self.prior.model != "none" else []
        blends = ["blend", f"blend_without_{own}", *(f"blend_{who}" for who in OPPONENTS)]
        members = [own, *of_prior, *self.baseline.rating_models]
        ratings = [*members, *blends, f"{own}_greedy", *OPPONENTS]
        ranked = [self.rank.predictor, self.rank.without_llm]
        lists = [self.decode.predictor, *ranked, *self.baseline.list_models]
        lists += [f"{name}_{who}" for name in ranked for who in OPPONENTS]
        lists += [self.free_text.predictor] if self.free_text else []
        for names in (ratings, lists):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"two predictors are called {twice[0]}: rename one of them")
        for setting, named, known in (
            ("baseline.blended", self.baseline.blended, members),
            ("score.compared", self.score.compared, {*ratings, *lists}),
        ):
            if unknown := [name for name in named if name not in known]:
                there_are = ", ".join(sorted(known))
                raise ValueError(f"{setting}: no predictor {unknown[0]}: there are {there_are}")
        return self

    @pydantic.model_validator(mode="after")
    def _prior_exists(self) -> Self:
        if self.prompt.needs_priors and self.prior.model == "none":
            raise ValueError(
                'prompt.prior: prompts show the fitted prior, and prior.model is "none": '
                'set prompt.prior to "bias" or "neighbours", or fit one'
            )
        return self

    @pydantic.model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        width, heads = self.base.mini.hidden, self.base.mini.heads
        if width % heads:
            raise ValueError(f"base.mini.hidden: {width} is no multiple of {heads} base.mini.heads")
        if self.rank.films < self.retrieve.films:
            raise ValueError(
                f"rank.films: {self.rank.films} films cannot rank candidates among the "
                f"{self.retrieve.films} of retrieve.films: set both"
            )
        return self


def load(profile: str = "laptop", overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a profile, with overrides in the same nested form on top.

    Raises SettingsError where there is no such profile, a setting is unknown or out of range, or
    the machine lacks what the profile needs.
    """
    settings = _validated(Settings(), of_profile(profile), f'profile "{profile}"')
    typed = {} if overrides is None else overrides
    changes = read_form(typed) if isinstance(typed, Mapping) else typed
    settings = _validated(settings, changes, "overrides")
    _check_means(settings, f'profile "{profile}"')
    return settings


def of_profile(profile: str) -> dict[str, Any]:
    """What a profile sets. Raises SettingsError where there is none of that name."""
    known = sorted(file.stem for file in PROFILES.glob("*.toml"))
    if profile not in known:
        raise SettingsError(f'no profile "{profile}": there are {", ".join(known)}')
    return tomllib.loads((PROFILES / f"{profile}.toml").read_text())


def sources(profile: str, overrides: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """Dotted name, value and source of every setting, whether this machine can run it or not."""
    typed = of_profile(profile)
    settings = _validated(Settings(), typed, f'profile "{profile}"')
    settings = _validated(settings, overrides, "overrides")
    by_profile = dict(leaves(_with_dask_address(typed)))
    by_hand = dict(leaves(_with_dask_address(overrides)))
    for name, value in leaves(settings):
        source = f"profile {profile}" if name in by_profile else "default"
        yield name, value, "--set" if name in by_hand else source


def _validated(settings: Settings, changes: Any, source: str) -> Settings:  # noqa: ANN401
    """Settings with changes over them. Raises SettingsError where they do not fit."""
    try:
        return Settings.model_validate(overlay(settings, _with_dask_address(changes)))
    except pydantic.ValidationError as error:
        raise SettingsError(f"{source}: {'; '.join(map(describe_error, error.errors()))}") from None


def describe_error(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in one line."""
    if error["type"] == "value_error":  # a check of ours: it says all there is to say
        return str(error["ctx"]["error"])
    setting = ".".join(map(str, error["loc"]))
    return f"{setting}: {error['msg'].lower()} (found {error['input']!r})"


def _with_dask_address(changes: Any) -> Any:  # noqa: ANN401
    """Changes whose `dask_address` goes to each stage that is given none of its own."""
    if not isinstance(changes, Mapping) or "dask_address" not in changes:
        return changes
    address = {"dask_address": changes["dask_address"]}
    spread = {name: address | changes.get(name, {}) for name in DISTRIBUTED_STAGES}
    return {**changes, **spread}


def _check_means(settings: Settings, source: str) -> None:
    """Raises SettingsError where there is no such base model, or this machine cannot run it."""
    _check_temporary_folder()
    try:
        find_base_model(settings.base.name)
        find_base_model(settings.encoder.name)
    except ValueError as error:
        raise SettingsError(f"base.name: {error}") from None
    if settings.serving.key_value:
        try:
            find_entry_point(settings.serving.key_value)
        except ValueError as error:
            raise SettingsError(f"serving.key_value: {error}") from None
    if tracker() and not find_spec("mlflow"):
        raise SettingsError(f"{MLFLOW} needs MLflow's client: pip install mlflow-skinny")
    if settings.base.four_bit and not find_spec("bitsandbytes"):
        raise SettingsError(
            "base.four_bit needs bitsandbytes, which is not installed: "
            "set it to false, or see docs/gpu.md"
        )
    if settings.needs_gpu or settings.base.four_bit:
        try:
            log.info("GPU: %s", find_gpu())
        except GpuError as error:
            wanting = source if settings.needs_gpu else "base.four_bit"
            raise SettingsError(
                f"{wanting} needs an NVIDIA GPU: {error}; run it on a machine that has one, "
                "or choose --profile laptop"
            ) from None


def _check_temporary_folder() -> None:
    """Raises SettingsError where it is full."""
    # What Python falls back to where TMPDIR is full helps no library that is not written in it.
    chosen = Path(os.environ.get("TMPDIR", ""))
    folder = chosen if chosen.is_absolute() and chosen.is_dir() else Path(tempfile.gettempdir())
    if (free := shutil.disk_usage(folder).free) < TEMPORARY:
        raise SettingsError(
            f"the temporary folder {folder} has {free / 1e6:.0f} MB free, and a run needs "
            f"{TEMPORARY / 1e6:.0f}: free some, or set TMPDIR to another folder"
        )


def open_store() -> Store:
    """Where data/ and artifacts/ are: CONTENT_ADVISOR_STORE, or the project itself.

    CONTENT_ADVISOR_REMOTE is where they are kept as well: s3://bucket/prefix, or a mount's path.
    From here on, what this process writes is private to its user.
    """
    root = Path(os.environ.get("CONTENT_ADVISOR_STORE", ROOT))
    keep_private(root)
    return Store(root, remote=os.environ.get("CONTENT_ADVISOR_REMOTE") or None)


def notify_urls() -> list[str]:
    """Where alerts go beside the webhook, CONTENT_ADVISOR_NOTIFY: apprise URLs between blanks."""
    return os.environ.get(NOTIFY, "").split()


def tracker() -> str | None:
    """Where runs are exported to, CONTENT_ADVISOR_MLFLOW: MLflow's tracking URI."""
    return os.environ.get(MLFLOW) or None


def webhook() -> str | None:
    """Where alerts are sent: CONTENT_ADVISOR_WEBHOOK, or the address in the server's webhook block.

    The address may contain a secret, and is written into that block only.
    """
    if address := os.environ.get(WEBHOOK):
        return address
    from prefect.client.orchestration import get_client  # a second that other readers can spare
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        return client.read_block_document_by_name(WEBHOOK_BLOCK, "webhook").data["url"]
    return None
