"""Reads prompts in resumable batches, a user's context once for all questions behind it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.executor import Executor
from tasks.read.questions import READING, ListQuestion, read_examples
from tasks.read.reuse import reuse_readings
from tasks.readout.batches import RATE
from tasks.readout.config import Inference
from tasks.readout.load import load_reader
from tasks.readout.rating_trie import RatingTrie
from tasks.readout.resumable_batches import BatchJob, MakeTable, finish_batches, read_batches
from tasks.store.artifacts import Adapter, Base, Prompts, Readings
from tasks.templates import read_template
from tasks.text_tokenizer import load_tokenizer

Given = Mapping[str, Prompts]  # by the role of their films


def write_readings(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: Given,
    inference: Inference,
    executor: Executor,
    earlier: Readings | None,
    *,
    likelihoods: bool,
) -> dict[str, Any]:
    """Write readings.parquet; return the metadata."""
    batches, any_prompts = draft / "batches", next(iter(prompts.values()))
    inputs = (adapter, base, tuple(prompts.items()), inference, earlier, likelihoods)
    listed = prompts.get("candidate")
    whole = listed is not None and not read_template(listed).tokenize_per_line
    text = ("context",) if whole else ()
    job = BatchJob("read", prompts, inference.users_per_batch, load_user_reader, inputs, RATE, text)
    finish_batches(batches, job, inference.workers, executor)
    table = read_batches(batches, "rate", READING).sort("role", "fold", "user_id", "film_id")
    table.write_parquet(draft / "readings.parquet")
    shutil.rmtree(batches)
    metadata = any_prompts.metadata
    trie = RatingTrie.from_tokenizer(
        load_tokenizer(base), metadata["scale"], metadata["rating_prefix"]
    )
    spelt = {"tokens": [list(path) for path in trie.paths]}
    return spelt | {key: metadata.get(key) for key in ("dataset", "scale", "protocol")}


def load_user_reader(
    adapter: Adapter,
    base: Base,
    prompts: tuple[tuple[str, Prompts], ...],
    inference: Inference,
    earlier: Readings | None,
    likelihoods: bool,
) -> MakeTable:
    """Load the model; return a function that reads the users of a batch."""
    given = dict(prompts)

    def load() -> MakeTable:
        reader = load_reader(adapter, base, next(iter(given.values())), inference)
        listed = given.get("candidate") if likelihoods else None
        question = ListQuestion.of(listed, load_tokenizer(base)) if listed else None
        return lambda batch: read_examples(reader, batch.examples, question)

    if not inference.keeps_readings:
        return load()
    return reuse_readings(load, given, earlier)
