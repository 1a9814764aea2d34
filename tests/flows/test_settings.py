"""Settings that cannot be what was typed are refused in one line, before any work."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from flows.settings import (
    DISTRIBUTED_STAGES,
    PROFILES,
    Profile,
    SettingsError,
    load,
    sources,
)

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch", "transformers", "peft", "lenskit", "implicit", "optuna", "sklearn",
    "great_expectations", "mlflow", "vl_convert",
)  # fmt: skip
MODULES = sorted(f"flows.{file.stem}" for file in (ROOT / "flows").glob("[!_]*.py"))


def test_every_profile_can_be_typed_and_every_typed_profile_is_there() -> None:
    assert sorted(get_args(Profile)) == sorted(file.stem for file in PROFILES.glob("*.toml"))


@pytest.mark.parametrize("profile", ["laptop", "legacy", "pretrained", "smoke"])
def test_a_profile_that_needs_no_gpu_loads_on_any_machine(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert not load(profile).needs_gpu


def test_a_dask_address_reaches_every_stage_with_shards_and_no_recipe() -> None:
    address = "tcp://10.0.0.1:8786"
    settings = load("smoke", {"dask_address": address})
    stages = {name: getattr(settings, name) for name in DISTRIBUTED_STAGES}
    assert {stage.dask_address for stage in stages.values()} == {address}
    assert not any("dask_address" in stage.model_dump() for stage in stages.values())
    assert settings.prompt.context_films == load("smoke").prompt.context_films
    assert {n for n, stage in settings if hasattr(stage, "dask_address")} == set(stages)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"train": {"fit": {"max_step": 2}}}, "no setting train.fit.max_step: did you mean"),
        ({"zzz": 1}, "no setting zzz: there are ablation, base, "),
        ({"train": {"fit": {"max_steps": "many"}}}, "train.fit.max_steps: .*'many'"),
        ({"train": 3}, "train: expected a section, found 3"),
        ([1], r"overrides: expected a section, found \[1\]"),
        ({"split": {"protocol": "none"}}, "split: .*'none'"),
        ({"base": {"name": "blom"}}, 'base.name: no base model "blom": there are bloom-1b1'),
        (
            {"baseline": {"blended": ["llm", "nonsense"]}},
            "baseline.blended: no predictor nonsense: there are bayesian_fm, bias, ",
        ),
        (
            {"baseline": {"rating_models": ["bias"]}},
            "no predictor funk_svd: there are bayesian_fm, bias, llm, llm_head, residual_trees$",
        ),
        ({"predict": {"predictor": "mine"}}, "baseline.blended: no predictor llm: .*mine"),
        ({"predict": {"predictor": "bias"}}, "two predictors are called bias"),
        ({"rank": {"predictor": "rank"}}, "score.compared: no predictor ranked: there are"),
        ({"base": {"mini": {"hidden": 100, "heads": 3}}}, "base.mini.hidden: 100 is no .* 3 base"),
        ({"base": {"mini": {"heads": 5}}}, "base.mini.hidden: 128 is no multiple of 5 base"),
        ({"rank": {"films": 10}}, "rank.films: 10 films cannot rank .* the 10000 of retrieve"),
    ],
)
def test_an_override_that_cannot_be_is_refused_in_one_line(overrides: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        load("laptop", overrides)
    assert "\n" not in str(error.value)


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match='no profile "nigthly": there are laptop, laptop-long'):
        load("nigthly")


def test_every_setting_names_its_source() -> None:
    found = {n: (value, source) for n, value, source in sources("nightly", {"score": {"seed": 7}})}
    assert found["score.seed"] == (7, "--set")
    assert found["base.name"] == ("bloom-1b7", "profile nightly")
    assert found["score.resamples"] == (2000, "default")
    assert {source for _, source in found.values()} == {"--set", "profile nightly", "default"}


def test_loading_a_flow_loads_nothing_heavy() -> None:
    code = (
        "import importlib, sys\n"
        f"for module in {MODULES!r}:\n"
        "    importlib.import_module(module)\n"
        f"    if loaded := [name for name in {HEAVY!r} if name in sys.modules]:\n"
        "        sys.exit(f'{module} loads {loaded}')"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
