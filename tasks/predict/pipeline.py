"""Predicts ratings in resumable batches, then calibrates and joins them."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
from scipy.special import log_softmax

from tasks.executor import Executor
from tasks.predict.config import Predict
from tasks.predict.greedy import build_greedy_table
from tasks.predict.tables import (
    READOUT,
    build_rating_table,
    calibrate,
    read_calibration,
    read_out,
    to_matrix,
)
from tasks.readout.config import Inference
from tasks.readout.inference import load_reader
from tasks.readout.rating_trie import RatingTrie
from tasks.readout.resumable_batches import BatchJob, MakeTable, finish_batches, read_batches
from tasks.readout.reuse import reuse_readings, write_readings
from tasks.store.artifacts import Adapter, Base, Prompts, RatingPredictions, SplitRatings
from tasks.text_tokenizer import load_tokenizer


def write_predictions(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    config: Predict,
    inference: Inference,
    calibrated_by: RatingPredictions | None,
    executor: Executor,
    earlier: RatingPredictions | None = None,
) -> dict[str, Any]:
    """Write ratings.parquet and calibration.json; return the metadata.

    Where `inference` keeps readings, those of `earlier` are taken for examples that are the same.
    """
    metadata, batches = prompts.metadata, draft / "batches"
    inputs = (adapter, base, prompts, inference, earlier)
    job = BatchJob("predict", prompts, inference.users_per_batch, load_predictor, inputs)
    finish_batches(batches, job, inference.workers, executor)
    trie = RatingTrie.from_tokenizer(
        load_tokenizer(base), metadata["scale"], metadata["rating_prefix"]
    )
    readouts = read_batches(batches, "rate", READOUT).sort("fold", "user_id", "film_id")
    if inference.keeps_readings:
        write_readings(readouts, draft)
    calibration = (
        read_calibration(calibrated_by) if calibrated_by else calibrate(readouts, trie.scale, split)
    )
    tables = [build_rating_table(readouts, calibration, trie.scale, config.predictor)]
    if config.greedy and calibrated_by is None:
        log_p, log_prior = (
            to_matrix(readouts[name], len(trie.scale)) for name in ("log_p", "log_prior")
        )
        tables.append(build_greedy_table(tables[0], log_softmax(log_p + log_prior, axis=1), trie))
    pl.concat(tables).write_parquet(draft / "ratings.parquet")
    (draft / "calibration.json").write_text(json.dumps(calibration.to_json(), indent=1))
    shutil.rmtree(batches)
    return {
        "predictor": config.predictor,
        "calibration": calibration.to_json(),
        **{key: metadata.get(key) for key in ("dataset", "scale", "protocol")},
    }


def load_predictor(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    inference: Inference,
    earlier: RatingPredictions | None,
) -> MakeTable:
    """Load the model; return a function that reads a batch's log-probabilities."""

    def load() -> MakeTable:
        reader = load_reader(adapter, base, prompts, inference)
        return lambda batch: read_out(reader, batch.examples)

    if not inference.keeps_readings:
        return load()
    return reuse_readings(load, prompts, earlier)
