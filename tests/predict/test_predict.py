"""Predictions: one distribution a target, equal to the plain path, the same bytes in any batch."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from tasks.hub import load_adapted
from tasks.nn.examples import Examples
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.read.questions import READING
from tasks.read.task import read_prompts
from tasks.readout import inference as readout
from tasks.readout import resumable_batches
from tasks.readout.anchor import WEIGHT
from tasks.readout.config import Inference
from tasks.store.artifacts import Readings
from tasks.store.checksum import DamagedFileError
from tasks.store.store import Store

KEY = ["fold", "user_id", "film_id", "rating"]
BATCHES = Inference(users_per_batch=7)


@pytest.fixture(scope="module")
def predict(adapter, base, prompts, split):
    """`predict(store)`: the predictions, with other settings of inference if given."""

    def run(store, inference=BATCHES):
        readings = read_prompts.fn(adapter, base, prompts, inference=inference, store=store)
        return predict_ratings.fn(readings, split, config=Predict(), store=store)

    return run


@pytest.fixture(scope="module")
def predictions(predict, store):
    return predict(store)


@pytest.fixture(scope="module")
def llm(predictions) -> pl.DataFrame:
    return predictions.scan("ratings").filter(predictor="llm").collect()


def test_every_target_has_one_distribution(llm, split):
    targets = split.scan("ratings").filter(pl.col("role") == "target").collect()
    assert llm.select(KEY).equals(targets.select(KEY).sort(KEY[:3]))
    p = np.array(llm["probabilities"].to_list())
    assert np.allclose(p.sum(1), 1, atol=1e-6)
    assert np.allclose(p @ [1, 2, 3, 4, 5], llm["mean"], atol=1e-5)


def test_greedy_decoding_is_a_predictor_of_its_own(predictions, llm, store):
    """It takes the likeliest value of the anchored distribution, before calibration."""
    greedy = predictions.scan("ratings").filter(predictor="llm_greedy").collect()
    assert greedy.select(KEY).equals(llm.select(KEY))
    assert greedy["probabilities"].null_count() == len(greedy)
    readings = store.ancestor(Readings, predictions)
    read = readings.scan("readings").collect()
    nats = np.array(read["log_p"].to_list()) + np.array(read["log_prior"].to_list())
    assert greedy["mean"].to_list() == (nats.argmax(1) + 1).tolist()


@torch.no_grad()
def test_expectations_equal_the_plain_path(predictions, llm, adapter, base, prompts):
    """Each prompt alone through the stock library, calibrated alike, within 1e-3 stars."""
    model = load_adapted(base, adapter)
    examples = prompts.scan("examples").filter(fold="test", kind="rate").collect()
    vocabulary = json.loads((base.path / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = [vocabulary[f"{n}.0"] for n in range(1, 6)]
    calibration = json.loads((predictions.path / "calibration.json").read_text())
    scale, offsets = np.arange(1, 6), np.array(calibration["offsets"])
    expected = {}
    for row, example in zip(
        examples.iter_rows(named=True), Examples.from_table(examples.to_arrow()), strict=True
    ):
        for b, branch in enumerate(example.branches):
            text = [*example.prefix, *branch[: example.spans.start[b]]]
            logits = model(input_ids=torch.tensor([text])).logits[0, -1, tokens]
            log_p = WEIGHT * torch.log_softmax(logits.double(), 0).numpy()
            log_prior = calibration["sharpness"] * example.spans.log_prior[b]
            p = np.exp(calibration["gate"] * log_p + log_prior + offsets)
            expected[row["user_id"], row["film_ids"][b]] = p @ scale / p.sum()
    test = llm.filter(fold="test")
    plain = [expected[key] for key in zip(test["user_id"], test["film_id"], strict=True)]
    assert len(plain) == len(expected)
    assert np.abs(test["mean"].to_numpy() - plain).max() < 1e-3


def test_the_batch_size_changes_no_byte(predict, tmp_path):
    tables = []
    for rows in (1, 3, 16):
        inference = BATCHES.model_copy(update={"micro_batch_rows": rows})
        made = predict(Store(tmp_path / str(rows)), inference)
        tables.append((made.path / "ratings.parquet").read_bytes())
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_out_of_memory_halves_the_batch_and_changes_no_byte(
    error, predict, predictions, tmp_path, monkeypatch
):
    refused, forward = [], readout.hidden_states

    def limited(model, batch):
        if len(batch.tokens) > 1:
            refused.append(len(batch.tokens))
            raise error("out of memory")
        return forward(model, batch)

    monkeypatch.setattr(readout, "hidden_states", limited)
    made = predict(Store(tmp_path))
    assert refused
    table = "ratings.parquet"
    assert (made.path / table).read_bytes() == (predictions.path / table).read_bytes()


def test_a_row_that_does_not_fit_alone_is_an_error(predict, tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError("no memory for one row")

    monkeypatch.setattr(readout, "hidden_states", full)
    with pytest.raises(MemoryError, match="no memory for one row"):
        predict(Store(tmp_path))


def test_a_killed_run_resumes_without_the_finished_batches(
    predict, predictions, tmp_path, monkeypatch
):
    store, finished, finish = Store(tmp_path), [], resumable_batches._write

    def kill_after_three(folder, name, table):
        if len(finished) == 3:
            raise KeyboardInterrupt
        finished.append(name)
        finish(folder, name, table)

    monkeypatch.setattr(resumable_batches, "_write", kill_after_three)
    with pytest.raises(KeyboardInterrupt):
        predict(store)
    (kept,) = store.root.glob("artifacts/readings/.draft-*/batches")
    assert sorted(file.name for file in kept.iterdir()) == sorted(finished)
    resumed = []

    def count(folder, name, table):
        resumed.append(name)
        finish(folder, name, table)

    monkeypatch.setattr(resumable_batches, "_write", count)
    again = predict(store)
    assert resumed
    assert not set(finished) & set(resumed)
    table = "ratings.parquet"
    assert (again.path / table).read_bytes() == (predictions.path / table).read_bytes()


def test_a_damaged_batch_of_a_killed_run_is_made_again(
    predict, predictions, tmp_path, monkeypatch, caplog
):
    store, finish, made = Store(tmp_path), resumable_batches._write, []

    def kill_after_three(folder, name, table):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(folder / name)
        finish(folder, name, table)

    with monkeypatch.context() as patched:
        patched.setattr(resumable_batches, "_write", kill_after_three)
        with pytest.raises(KeyboardInterrupt):
            predict(store)
    whole, flipped, cut = made
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:100])
    again = predict(store)
    warned = [
        file.name for file in made if f"{file} has changed since it was written" in caplog.text
    ]
    assert warned == [flipped.name, cut.name]
    table = "ratings.parquet"
    assert (again.path / table).read_bytes() == (predictions.path / table).read_bytes()
    whole.parent.mkdir(parents=True)
    whole.write_bytes(content)
    with pytest.raises(DamagedFileError):
        resumable_batches.read_batches(whole.parent, "rate", READING)


def test_prompts_with_another_prior_are_not_anchored(store, split, ratings, tokenizer, priors):
    """Nor those of a champion that was trained without one."""
    config = Prompt(context_films=8, list_length=3, users_per_shard=10, prior="neighbours")
    given = write_prompts.fn(split, ratings, tokenizer, priors, config=config, store=store)
    assert given == write_prompts.fn(split, ratings, tokenizer, config=config, store=store)
    spans = given.scan("examples").select("spans").collect()["spans"].explode().struct.unnest()
    assert spans["log_prior"].list.len().max() == 0
