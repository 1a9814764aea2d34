"""Scores each candidate by its log-likelihood as the first film of a list."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from tasks.executor import Executor
from tasks.nn.examples import Example, SupervisedSpans
from tasks.readout.config import Inference
from tasks.readout.inference import load_reader
from tasks.readout.resumable_batches import Batch, BatchJob, MakeTable, finish_batches, read_batches
from tasks.readout.reuse import reuse_readings, write_readings
from tasks.store.artifacts import Adapter, Base, CandidatePrompts, CandidateScores
from tasks.templates import read_template
from tasks.text_tokenizer import load_tokenizer

CONTEXT = ("context",)
EMPTY = np.empty(0, np.int64)
NO_SPANS = SupervisedSpans(
    EMPTY, EMPTY, EMPTY, np.empty(0, np.float32), np.empty((0, 0), np.float32)
)
SCORE = pl.Schema(
    [
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("film_id", pl.Int32),
        ("log_likelihood", pl.Float64),
    ]
)


def write_scores(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: CandidatePrompts,
    inference: Inference,
    executor: Executor,
    earlier: CandidateScores | None = None,
) -> None:
    """Write scores.parquet: the log-likelihood of each candidate's line, in nats.

    Where `inference` keeps readings, those of `earlier` are taken for examples that are the same.
    """
    batches, inputs = draft / "batches", (adapter, base, prompts, inference, earlier)
    users = inference.users_per_batch
    job = BatchJob("score candidates", prompts, users, load_scorer, inputs, extra_columns=CONTEXT)
    finish_batches(batches, job, inference.workers, executor)
    scores = read_batches(batches, "rate", SCORE).sort("fold", "user_id", "film_id")
    if inference.keeps_readings:
        write_readings(scores, draft)
    scores.select(*SCORE).write_parquet(draft / "scores.parquet")
    shutil.rmtree(batches)


def load_scorer(
    adapter: Adapter,
    base: Base,
    prompts: CandidatePrompts,
    inference: Inference,
    earlier: CandidateScores | None,
) -> MakeTable:
    """Load the model; return a function that scores the candidates of a batch."""
    load = partial(_load_scorer, adapter, base, prompts, inference)
    if not inference.keeps_readings:
        return load()
    return reuse_readings(load, prompts, earlier, CONTEXT)


def _load_scorer(
    adapter: Adapter, base: Base, prompts: CandidatePrompts, inference: Inference
) -> MakeTable:
    template, tokenizer = read_template(prompts), load_tokenizer(base)
    reader = load_reader(adapter, base, prompts, inference)
    films = prompts.scan("films").collect()
    lines = dict(zip(films["film_id"], films["tokens"].to_list(), strict=True))

    def score(batch: Batch) -> pl.DataFrame:
        rows = pl.DataFrame(batch.examples.select(["fold", "user_id", "film_ids", "context"]))
        texts = [context + template.recommend for context in rows["context"]]
        prefixes = tokenizer(texts, add_special_tokens=False)["input_ids"]
        examples = [
            Example(np.array(prefix), [np.array(lines[film]) for film in film_ids], NO_SPANS)
            for prefix, film_ids in zip(prefixes, rows["film_ids"], strict=True)
        ]
        rows = rows.select("fold", "user_id", film_id="film_ids").explode("film_id")
        return rows.with_columns(log_likelihood=reader.score_texts(examples)).cast(SCORE)

    return score
