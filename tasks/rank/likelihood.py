"""Scores each candidate by how likely the model finds it as the first film of a list."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pydantic
from numpy.typing import NDArray

from tasks.executor import Executor
from tasks.hub import load_tokenizer
from tasks.nn.examples import Example, SupervisedSpans
from tasks.readout.config import Inference
from tasks.readout.inference import Reader, load_merged
from tasks.readout.rating_trie import RatingTrie
from tasks.readout.resumable_batches import Batch, BatchJob, MakeTable, finish_batches, read_batches
from tasks.store.artifacts import Adapter, Base, CandidatePrompts
from tasks.templates import Compact, Original, Template

Floats = NDArray[np.float64]
NOWHERE = np.empty(0, np.int64)
NO_SPANS = SupervisedSpans(NOWHERE, NOWHERE, NOWHERE, np.empty(0, np.float32))


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
) -> None:
    """Write scores.parquet: the log-likelihood of each candidate's line."""
    batches, inputs = draft / "batches", (adapter, base, prompts, inference)
    users = inference.users_per_batch
    work = BatchJob(
        "score candidates", prompts, users, load_scorer, inputs, extra_columns=("context",)
    )
    finish_batches(batches, work, inference.workers, executor)
    scores = read_batches(batches, "rate", SCORE).sort("fold", "user_id", "film_id")
    scores.write_parquet(draft / "scores.parquet")
    shutil.rmtree(batches)


def load_scorer(
    adapter: Adapter, base: Base, prompts: CandidatePrompts, inference: Inference
) -> MakeTable:
    """A function that scores the candidates of a batch."""
    metadata = prompts.metadata
    template: Compact | Original = pydantic.TypeAdapter(Template).validate_python(
        prompts.manifest["recipe"]["template"]
    )
    tokenizer = load_tokenizer(base)
    trie = RatingTrie.from_tokenizer(tokenizer, metadata["scale"], metadata["rating_prefix"])
    reader = Reader(load_merged(base, adapter), trie, inference)
    films = prompts.scan("films").collect()
    lines = dict(zip(films["film_id"], films["tokens"].to_list(), strict=True))

    def score(batch: Batch) -> pl.DataFrame:
        contexts = batch.examples["context"].to_pylist()
        texts = [context + template.recommend for context in contexts]
        prefixes = tokenizer(texts, add_special_tokens=False)["input_ids"]
        wanted = batch.examples["film_ids"].to_pylist()
        examples = [
            Example(np.array(prefix), [np.array(lines[film]) for film in some], NO_SPANS)
            for prefix, some in zip(prefixes, wanted, strict=True)
        ]
        return _score_table(batch.examples, reader.score_texts(examples))

    return score


def _score_table(examples: pa.Table, log_p: Floats) -> pl.DataFrame:
    """One row a candidate."""
    rows = pl.DataFrame(examples.select(["fold", "user_id", "film_ids"])).explode("film_ids")
    return rows.rename({"film_ids": "film_id"}).with_columns(log_likelihood=log_p).cast(SCORE)
