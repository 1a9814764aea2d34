"""What needs histories alone, made beside training: the same bytes, and nothing outlives a run."""

import multiprocessing
import threading

import pytest
from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from flows.beside import beside
from flows.histories import made_beside, rank_by_baselines, rate_by_baselines, retrieve
from flows.settings import Settings
from flows.stages import Stages
from tasks.baseline.config import Baseline, SASRec, Tuning
from tasks.store.store import Store

SETTINGS = Settings(
    baseline=Baseline(
        rating_models=("bias",),
        list_models=("popularity", "sasrec"),
        blended=("llm", "bias"),
        tuning=Tuning(models=()),
        sasrec=SASRec(window=20, hidden=16, layers=1, epochs=1),
    )
)


@pytest.fixture(scope="module", autouse=True)
def prefect():
    with prefect_test_harness(server_startup_timeout=180):
        yield


@flow
def make(settings, store, split, ratings):
    stages = Stages([])
    with made_beside(settings, store, stages, split, ratings):
        begun = [*stages.begun]
        made = (
            retrieve(settings, store, stages, split),
            rate_by_baselines(settings, store, stages, split, ratings),
            rank_by_baselines(settings, store, stages, split, ratings),
        )
    assert stages.started == ["retrieve candidates", "predict baselines", "rank baselines"]
    assert stages.artifacts == [*made]
    assert not any(one.cache_hit for one in made)
    return begun, made


def test_what_is_made_beside_training_has_the_bytes_of_what_is_made_in_sequence(
    split,
    ratings,
    tmp_path,
):
    beside_others = SETTINGS.model_copy(update={"baselines_beside_training": True})
    begun, made = make(beside_others, Store(tmp_path / "beside"), split, ratings)
    none, alone = make(SETTINGS, Store(tmp_path / "alone"), split, ratings)
    assert (len(begun), none) == (3, [])
    for one, other in zip(made, alone, strict=True):
        assert one.fingerprint == other.fingerprint
        files = {f.name: f.read_bytes() for f in one.path.glob("*.parquet")}
        assert files
        assert files == {f.name: f.read_bytes() for f in other.path.glob("*.parquet")}


@task
def wait_for_ever():
    threading.Event().wait()


def fail_beside_it():
    with beside(Stages([])) as begin:
        begin("wait", wait_for_ever)()
        while not multiprocessing.active_children():
            threading.Event().wait(0.05)
        raise ValueError("of training")


def test_a_stage_beside_one_that_fails_does_not_hold_the_run_back():
    with pytest.raises(ValueError, match="of training"):
        fail_beside_it()
    assert not multiprocessing.active_children()
