"""Time our recipe takes to the RMSE that the original reaches with its 400 samples.

Both train the original's LoRA on the bloom-mini and the prompts of a finished run; both predict
its validation fold by expectation. Only training is timed.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from datasets import Dataset
from torch import nn
from transformers import Trainer, TrainingArguments

from bench.train_peers import COMMON, STEP
from tasks.hub import load_base
from tasks.nn.examples import Example, Examples
from tasks.nn.packing import pack_example
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import Base, Prompts
from tasks.store.store import Store
from tasks.text_tokenizer import load_tokenizer
from tasks.train.config import Train
from tasks.training.adapter import attach_lora
from tasks.training.config import Lora, TrainingConfig
from tasks.training.gradients import GradientComputer
from tasks.training.train_model import sample_validation
from tasks.training.trainer import Trainer as OwnTrainer
from tasks.training.validation import validate

SAMPLES = 400
ONLY_RATE = TrainingConfig(kinds=("rate",))


def time_to_quality(root: Path) -> dict[str, float]:
    """Seconds and RMSE of both, and the ratio of the seconds."""
    store = Store(root)
    newest = max(store.root.glob("artifacts/base/[!.]*"), key=lambda path: path.stat().st_mtime)
    base = store.find(Base, newest.name)
    prompts = store.ancestor(Prompts, base)
    notes = prompts.metadata
    trie = RatingTrie.from_tokenizer(load_tokenizer(base), notes["scale"], notes["rating_prefix"])
    examples = Examples.read(prompts, "train", ("rate",))
    held_out = sample_validation(prompts, ONLY_RATE)

    model = attach_lora(load_base(base), Lora(), seed=0)
    theirs = _original(model, examples)
    target = _rmse(model, trie, held_out)
    steps, rmse, ours = 1, float("inf"), 0.0
    while rmse > target and steps <= 4096:
        model = attach_lora(load_base(base), Lora(), seed=0)
        ours = _own(model, trie, examples, steps)
        rmse, steps = _rmse(model, trie, held_out), 2 * steps
    return {
        "original_seconds": theirs,
        "original_rmse": target,
        "own_seconds": ours,
        "own_rmse": rmse,
        "ratio": ours / theirs if rmse <= target else float("inf"),
    }


def _original(model: nn.Module, examples: Examples) -> float:
    """Whole prompts, one at a time, with a learning rate that rises to the end."""
    order = np.random.default_rng(0).permutation(len(examples))[:SAMPLES]
    texts = [
        [token for part in (example.prefix, *example.branches) for token in part.tolist()]
        for example in examples.take(order)
    ]
    data = Dataset.from_list([{"input_ids": text, "labels": text} for text in texts])
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            **COMMON,
            gradient_accumulation_steps=STEP,
            activation_checkpointing=True,
            max_steps=SAMPLES // STEP,
        )
        trainer = Trainer(model, arguments, train_dataset=data)
        start = time.perf_counter()
        trainer.train()
        return time.perf_counter() - start


def _own(model: nn.Module, trie: RatingTrie, examples: Examples, steps: int) -> float:
    """The default recipe for this many steps."""
    defaults = Train()
    fit = defaults.fit.model_copy(update={"max_steps": steps, "validate_steps": None})
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        OwnTrainer(model, trie, defaults.objective, fit, Path(folder)).train(examples, [], "bench")
        return time.perf_counter() - start


def _rmse(model: nn.Module, trie: RatingTrie, held_out: list[Example]) -> float:
    packed = [pack_example(example, trie.probe_suffixes, ()) for example in held_out]
    return validate(GradientComputer(model, trie, Train().objective, ONLY_RATE), packed).rmse
