"""What people type is held to what there is, in one line and before any work."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from flows.command_line import told
from flows.settings import PROFILES, SHARED, Profile, SettingsError, load

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch", "transformers", "peft", "lenskit", "sklearn", "great_expectations",
)  # fmt: skip
FLOWS = sorted(f"flows.{file.stem}" for file in (ROOT / "flows").glob("[!_]*.py"))


def test_every_profile_can_be_typed_and_every_typed_profile_is_there() -> None:
    assert sorted(get_args(Profile)) == sorted(file.stem for file in PROFILES.glob("*.toml"))


@pytest.mark.parametrize("profile", ["laptop", "legacy", "smoke"])
def test_a_profile_that_needs_no_gpu_loads_on_any_machine(profile: str) -> None:
    assert not load(profile).needs_gpu


def test_a_change_goes_over_the_profile_and_leaves_its_neighbours() -> None:
    changed = load("smoke", {"train": {"fit": {"max_steps": 2}}})
    assert changed.train.fit.max_steps == 2
    assert changed.train.fit.tokens_per_step == load("smoke").train.fit.tokens_per_step


KEYS = ("cluster", "dask_address")


def test_a_cluster_is_told_once_and_every_room_with_shards_knows_it_but_no_recipe() -> None:
    address = "tcp://10.0.0.1:8786"
    settings = load("smoke", {"cluster": address})
    rooms = [getattr(settings, name) for name in SHARED]
    assert all(address in (getattr(room, key, None) for key in KEYS) for room in rooms)
    assert not any(key in room.model_dump() for room in rooms for key in KEYS)
    assert settings.prompt.context_films == load("smoke").prompt.context_films
    with_shards = {n for n, room in settings if any(hasattr(room, key) for key in KEYS)}
    assert with_shards == set(SHARED)


def test_an_unknown_profile_is_told_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match='no profile "nigthly": there are laptop, laptop-long'):
        load("nigthly")


def test_an_unknown_setting_is_told_by_its_path() -> None:
    with pytest.raises(SettingsError, match=r"train\.fit\.max_step: "):
        load("smoke", {"train": {"fit": {"max_step": 2}}})


def test_a_setting_of_the_wrong_type_is_told_with_what_was_found() -> None:
    with pytest.raises(SettingsError, match=r"max_steps: .*'many'"):
        load("smoke", {"train": {"fit": {"max_steps": "many"}}})


def test_a_machine_without_gpu_is_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match='profile "nightly" needs an NVIDIA GPU'):
        load("nightly")


def test_four_bits_without_their_means_are_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match=r"base\.four_bit needs an NVIDIA GPU"):
        load("laptop", {"base": {"four_bit": True}})


KNOWN = ", ".join(sorted(file.stem for file in PROFILES.glob("*.toml")))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("nightly --profile nigthly", f'no profile "nigthly": there are {KNOWN}'),
        (
            "backfill --from 2018-09-23 --to 2018-09-17",
            "nothing to do from 2018-09-23 to 2018-09-17 every 1 days",
        ),
    ],
)
def test_what_cannot_be_ends_with_one_line_and_exit_code_1(
    tmp_path: Path, typed: str, told: str
) -> None:
    name, *arguments = typed.split()
    ran = subprocess.run(
        [sys.executable, "-m", f"flows.{name}", *arguments],
        cwd=ROOT,
        env=os.environ | {"CONTENT_ADVISOR_STORE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == f"error: {told}\n"
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_is_one_line_and_the_rest_is_kept_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.command_line.ROOT", tmp_path)
    assert told(lambda: int("no")).endswith("'no'\n(where: .prefect/last-error.txt)")
    assert "Traceback" in (tmp_path / ".prefect" / "last-error.txt").read_text()
    monkeypatch.setattr("flows.command_line.ROOT", Path("/dev/full"))
    assert told(lambda: int("no")).endswith("'no'\n(where: not kept, Not a directory)")


@pytest.mark.parametrize("module", FLOWS)
def test_loading_a_flow_loads_nothing_heavy(module: str) -> None:
    ask = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
