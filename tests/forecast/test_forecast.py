"""A run knows what its long stages take before they begin, and ends where that is too much."""

import logging
import time

import duckdb
import numpy as np
import pytest

from flows.settings import Settings
from tasks.forecast.config import Forecast, Plan, Served, Trial
from tasks.forecast.stages import forecast_rows, too_long
from tasks.forecast.task import forecast_stages
from tasks.forecast.trial import try_out, with_branches
from tasks.metrics_db import atomic_update
from tasks.nn.examples import Example, SupervisedSpans
from tasks.readout.config import Inference
from tasks.training.config import TrainingConfig

COUNTS = {"train rate": 100, "train recommend": 60, "validation rate": 20, "test rate": 50}
COUNTS |= {"test recommend": 50}
TRIALS = {
    "train": Trial(500, 2.0, 10),
    "rate": Trial(400, 0.5, 20),
    "candidates": Trial(2000, 4.0, 40),
    "user": Trial(2900, 5.0, 30),
    "list": Trial(600, 1.0, 15),
}
FIT = TrainingConfig(epochs=0.5, tokens_per_step=1000, validate_steps=10, validation_examples=8)


def seconds(fit=FIT, opponents=0, everyone=0, loading=0.0):
    rows = forecast_rows(TRIALS, COUNTS, fit, Plan(100, 10, opponents), everyone, loading)
    return {row["stage"]: row["seconds"] for row in rows}


@pytest.fixture(scope="module")
def forecast(shared_store, base, prompts, split, train_config):
    """`forecast(seconds, plan)`: of the tiny model on this machine."""

    def make(plan=Plan(20, 5, 1), of=Forecast(seconds=5)):  # noqa: B008
        return forecast_stages.fn(
            base, prompts, split,
            lora=train_config.lora, objective=train_config.objective, fit=train_config.fit,
            inference=Inference(), config=of, plan=plan, served=Served(True, None),
            store=shared_store,
        )  # fmt: skip

    return make


def test_each_stage_takes_its_examples_times_what_one_took():
    """Training: 80 of 160 examples, 40 steps, so 4 validations with the first and the last."""
    assert seconds() == {
        "train adapter": 160.0,
        "validate in training": 24.0,
        "read prompts": 350.0,
        "decode lists": 50.0,
    } | {"validate in training": (40 // 10 + 2) * 8 * 0.5}


def test_steps_bound_training_and_opponents_and_everyone_are_read_as_well():
    bounded = seconds(FIT.model_copy(update={"max_steps": 10}), opponents=2, everyone=1000)
    assert bounded["train adapter"] == 40.0
    assert bounded["read prompts, opponents"] == 700.0
    assert bounded["read prompts, everyone"] == 4000.0


def test_each_stage_that_loads_the_base_takes_its_loading_as_well():
    plain, loaded = (seconds(opponents=2, everyone=10, loading=s) for s in (0.0, 7.0))
    assert {stage: loaded[stage] - plain[stage] for stage in plain} == {
        "train adapter": 7.0,
        "validate in training": 0.0,
        "read prompts": 7.0,
        "decode lists": 7.0,
        "read prompts, opponents": 14.0,
        "read prompts, everyone": 7.0,
    }


def test_candidates_are_branches_of_the_example_with_their_own_spans():
    spans = SupervisedSpans(
        np.array([0, 1]), np.array([1, 2]), np.array([2, 3]),
        np.array([4, 2], np.float32), np.zeros((2, 0), np.float32),
    )  # fmt: skip
    many = with_branches(Example(np.arange(3), [np.arange(2), np.arange(3)], spans), 5)
    assert [len(branch) for branch in many.branches] == [2, 3, 2, 3, 2]
    assert many.spans.branch.tolist() == [0, 1, 2, 3, 4]
    assert many.spans.end.tolist() == [2, 3, 2, 3, 2]
    assert all(end <= len(many.branches[b]) for b, end in enumerate(many.spans.end))


@pytest.mark.parametrize(
    ("each", "at_once", "limit", "expected"),
    [(0.1, 8, 0.4, [2, 2, 2]), (0.0, 8, 60, [2, 2, 4, 8, 8, 8]), (0.1, 1, 0.2, [1, 1, 1])],
)
def test_as_many_are_tried_at_once_as_the_time_allows(each, at_once, limit, expected):
    """And what is compiled at first is not counted."""
    sizes = []

    def work(batch):
        time.sleep(len(batch) * each if sizes else 3)
        sizes.append(len(batch))

    trial = try_out(work, ["one"] * 16, at_once, limit)
    assert sizes == expected
    assert trial.seconds_each < each + 0.1


def test_every_long_stage_is_tried_and_told(forecast, caplog):
    with caplog.at_level(logging.INFO):
        rows = forecast().scan("stages").collect()
    stages = rows["stage"].to_list()
    assert stages == [
        *("train adapter", "validate in training", "read prompts", "decode lists"),
        *("read prompts, opponents", "read prompts, everyone"),
    ]
    assert (rows["seconds"] > 0).all()
    assert (rows["peak_bytes"] > 10**6).all()
    lines = [record.getMessage() for record in caplog.records]
    assert all(any(stage in line for line in lines) for stage in stages)
    one = dict(zip(stages, rows["tokens_each"], strict=True))
    assert one["read prompts"] > one["read prompts, everyone"] > one["validate in training"]


def test_a_run_above_its_hours_is_told_which_settings_to_change(forecast):
    made = forecast()
    total = made.scan("stages").collect()["seconds"].sum() / 3600
    assert too_long(made, total * 1.01) is None
    sentence = too_long(made, total * 0.99)
    assert sentence is not None
    assert "max_hours: the stages of the language model would take" in sentence
    rows = made.scan("stages").collect().to_dicts()
    most = max(row["seconds"] for row in rows)
    longest = [row for row in rows if row["seconds"] == most]
    assert any(f"{row['stage']}: lower {row['settings']}," in sentence for row in longest)
    for name in ", ".join(made.scan("stages").collect()["settings"]).split(", "):
        section, *path = name.split(".")
        owner = getattr(Settings(), section)
        for part in path:
            assert hasattr(owner, part), name
            owner = getattr(owner, part)


def test_the_forecast_stands_beside_what_the_stages_took(tmp_path):
    """The adapter was built, the readings of the champion were found in the store."""
    path = tmp_path / "metrics.duckdb"
    with atomic_update(path) as db:
        db.execute("insert into runs values ('r', now(), 'p', 'd', 'l', null, null, 'l')")
        stages = [
            ("adapter", "a1", "base", False, 90.0),
            ("readings", "r1", "prompts", False, 7.0),
            ("readings", "r2", "candidate-prompts", False, 50.0),
            ("readings", "r3", "prompts", True, 8.0),
        ]
        for place, (kind, name, parent, hit, took) in enumerate(stages, 1):
            stage = ["r", place, kind, name, hit, took, took, 10, 1, 1]
            db.execute("insert into stages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", stage)
            parents = [(parent, "x")]
            if kind != "adapter":
                parents.append(("adapter", "a0" if hit else "a1"))
            for of in parents:
                row = ["r", kind, name, *of]
                db.execute("insert into lineage values (?, ?, ?, ?, ?)", row)
        for stage, expected in (
            ("train adapter", 80.0), ("validate in training", 5.0), ("read prompts", 6.0),
            ("read prompts, everyone", 60.0), ("read prompts, opponents", 6.0),
        ):  # fmt: skip
            row = ["r", stage, 1, 1.0, expected, expected, 5, "s"]
            db.execute("insert into forecasts values (?, ?, ?, ?, ?, ?, ?, ?)", row)
    with duckdb.connect(str(path), read_only=True) as db:
        found = db.execute(
            "select stage, forecast_seconds, seconds from forecast_costs order by stage"
        ).fetchall()
    assert found == [
        ("read prompts", 6.0, 7.0),
        ("read prompts, everyone", 60.0, 50.0),
        ("read prompts, opponents", 6.0, None),
        ("train adapter", 85.0, 90.0),
    ]
