"""Trains a model on prompts: what the base and the adapter have in common."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch import nn
from transformers import PreTrainedTokenizerBase

from tasks.nn.examples import Example, Examples
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import Adapter, Prompts
from tasks.training import distributed
from tasks.training.config import Objective, TrainingConfig
from tasks.training.throughput import write_speed
from tasks.training.trainer import Trainer

Row = dict[str, Any]


def learn(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Prompts,
    examples: Examples,
    *,
    objective: Objective,
    fit: TrainingConfig,
    draft: Path,
    stage: str,
) -> Row:
    """Train what requires gradients, validate on the prompts' validation fold, write the history.

    The best weights by validation stay in the model; their row of the history is returned.
    """
    notes = prompts.metadata
    trie = RatingTrie.of(tokenizer, notes["scale"], notes["rating_prefix"])
    trainer = Trainer(model, trie, objective, fit, draft)
    start, before = time.perf_counter(), replace(trainer.now)
    history = trainer.train(examples, some_of_validation(prompts, fit), stage)
    if distributed.rank() == 0:
        write_speed(
            draft / "measured-speed.json",
            model=model,
            seconds=time.perf_counter() - start,
            tokens=trainer.now.tokens - before.tokens,
            ratings=trainer.now.ratings - before.ratings,
            recomputed=trainer.gradients.recomputes,
        )
        write_history(draft / "history.parquet", history)
    return best_row(history)


def write_history(file: Path, rows: list[Row]) -> None:
    """In the columns that an adapter's history has."""
    columns = Adapter.tables["history"].columns
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, (kind, _) in columns.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema), file)


def best_row(history: list[Row]) -> Row:
    """Of the step whose weights were kept: the best validated one, or the last."""
    validated = [row for row in history if row["validation_loss"] is not None]
    return min(validated, key=lambda row: row["validation_loss"], default=history[-1])


def some_of_validation(prompts: Prompts, fit: TrainingConfig) -> list[Example]:
    """So many of the validation fold's examples, drawn by the seed."""
    # Where ratings are learnt, they decide which weights are kept: lists name the best rated only.
    kinds = ("rate",) if "rate" in fit.kinds else fit.kinds
    known = Examples.read(prompts, "validation", kinds)
    draw = np.random.default_rng(fit.seed)
    chosen = draw.permutation(len(known))[: fit.validation_examples]
    return known.take(np.sort(chosen))
