"""Trains a model on prompts, validates it and writes its history: shared by base and adapter."""

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
from tasks.training.throughput import write_throughput
from tasks.training.trainer import Trainer

Row = dict[str, Any]


def train_model(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Prompts,
    examples: Examples,
    *,
    objective: Objective,
    config: TrainingConfig,
    draft: Path,
    stage: str,
) -> Row:
    """Train all weights that require gradients; write history and throughput into the draft.

    The best weights on the validation fold stay in the model; their row of the history is
    returned. Raises TrainingError as `Trainer.train` does.
    """
    metadata = prompts.metadata
    trie = RatingTrie.from_tokenizer(tokenizer, metadata["scale"], metadata["rating_prefix"])
    trainer = Trainer(model, trie, objective, config, draft)
    start, resumed = time.perf_counter(), replace(trainer.progress)
    history = trainer.train(examples, sample_validation(prompts, config), stage)
    if distributed.rank() == 0:
        write_throughput(
            draft / "measured-throughput.json",
            model=model,
            seconds=time.perf_counter() - start,
            tokens=trainer.progress.tokens - resumed.tokens,
            ratings=trainer.progress.ratings - resumed.ratings,
            gradient_checkpointing=trainer.gradients.gradient_checkpointing,
        )
        _write_history(draft / "history.parquet", history)
    return _best_row(history)


def sample_validation(prompts: Prompts, config: TrainingConfig) -> list[Example]:
    """`validation_examples` examples of the validation fold, drawn by the seed."""
    examples = Examples.read(prompts, "validation", config.kinds)
    order = np.random.default_rng(config.seed).permutation(len(examples))
    return examples.take(np.sort(order[: config.validation_examples]))


def _write_history(file: Path, rows: list[Row]) -> None:
    columns = Adapter.tables["history"].columns
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, (kind, _) in columns.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema), file)


def _best_row(history: list[Row]) -> Row:
    """The row whose weights were kept: the best validated one, or the last."""
    validated = [row for row in history if row["validation_loss"] is not None]
    return min(validated, key=lambda row: row["validation_loss"], default=history[-1])
