"""Tries the work of each long stage on the base model, with an untrained adapter."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from tasks.forecast.config import Forecast, Plan, Trial
from tasks.forecast.stages import forecast_rows, write_rows
from tasks.forecast.trial import fitting_size, sample, try_out, with_branches
from tasks.hub import load_base
from tasks.nn.examples import Example, Examples, SupervisedSpans
from tasks.nn.forward import extend, output_layer
from tasks.nn.kv_cache import TOKENS, KVCache
from tasks.nn.packing import pack_example
from tasks.readout.config import Inference
from tasks.readout.inference import Questions, Reader
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import Base, Prompts
from tasks.text_tokenizer import load_tokenizer
from tasks.training.adapter import attach_lora
from tasks.training.config import Lora, Objective, TrainingConfig
from tasks.training.gradients import GradientComputer
from tasks.training.objective import vocabulary_kinds

EXAMPLES = 256  # of each kind, at most: more are not read within seconds
STEPS = 8  # of decoding, to know what one takes


def measure(
    draft: Path,
    base: Base,
    prompts: Prompts,
    lora: Lora,
    objective: Objective,
    fit: TrainingConfig,
    inference: Inference,
    config: Forecast,
    plan: Plan,
    everyone: int,
) -> dict[str, Any]:
    """Write the forecast; each of five trials takes about a fifth of `config.seconds`.

    What loading the base takes counts in every stage that does.
    """
    metadata, limit = prompts.metadata, config.seconds / 5
    trie = RatingTrie.from_tokenizer(
        load_tokenizer(base), metadata["scale"], metadata["rating_prefix"]
    )
    began = time.perf_counter()
    model = load_base(base)
    loading = time.perf_counter() - began
    reader, rows = Reader(model, trie, inference), inference.micro_batch_rows

    def tokens(user: Questions) -> int:
        return len(reader.pack(user))

    rated = sample(Examples.read(prompts, "test"), EXAMPLES)
    many = [with_branches(example, plan.candidates) for example in rated]
    lines = [replace(example, spans=_no_spans()) for example in many]
    questions = {
        "rate": [Questions([one]) for one in rated],
        "candidates": [Questions([one]) for one in many],
        "user": [Questions([a, b], [c]) for a, b, c in zip(rated, many, lines, strict=True)],
    }
    trials = {
        name: try_out(reader.read_users, users, min(rows, at_once), limit, tokens)
        for (name, users), at_once in zip(questions.items(), (rows, 8, 8), strict=True)
    } | {
        "list": _try_lists(model, prompts, plan, rows, limit),
        "train": _try_training(model, trie, prompts, lora, objective, fit, limit),
    }
    file = draft / "measured-forecast.parquet"
    rows_of = forecast_rows(trials, metadata["examples"], fit, plan, everyone, loading)
    write_rows(rows_of, str(file))
    return {"device": _device_name()}


def _try_training(
    model: nn.Module,
    trie: RatingTrie,
    prompts: Prompts,
    lora: Lora,
    objective: Objective,
    fit: TrainingConfig,
    limit: float,
) -> Trial:
    """Gradients of whole steps; what the optimiser does is little beside them."""
    adapted = attach_lora(cast(Any, model), lora, seed=fit.seed).train()
    computer = GradientComputer(adapted, trie, objective, fit)
    examples = sample(Examples.read(prompts, "train", fit.kinds), EXAMPLES)
    kinds = vocabulary_kinds(objective)

    def work(batch: Sequence[Example]) -> None:
        packed = [pack_example(example, trie.probe_suffixes, kinds) for example in batch]
        computer.compute_gradients(packed, 0)

    mean = np.mean([len(example) for example in examples])
    at_once = fit.examples_per_step or max(1, round(fit.tokens_per_step / mean))
    return try_out(work, examples, at_once, limit)


def _try_lists(model: nn.Module, prompts: Prompts, plan: Plan, rows: int, limit: float) -> Trial:
    """A prefix, and a few steps that continue it, for as many as a list's lines have tokens."""
    examples = sample(Examples.read(prompts, "test", ("recommend",)), EXAMPLES)
    films = prompts.scan("films").select("tokens").collect()["tokens"]
    wanted = plan.list_length * (float(cast(float, films.list.len().mean())) + 2)
    device = next(model.parameters()).device

    @torch.inference_mode()
    def decode(steps: int, batch: Sequence[Example]) -> None:
        cache = KVCache(len(batch), device)
        new = [torch.from_numpy(example.prefix.astype(np.int64)) for example in batch]
        for _ in range(1 + steps):
            counts = torch.tensor([len(tokens) for tokens in new])
            padded = nn.utils.rnn.pad_sequence(new, batch_first=True)
            hidden = extend(model, padded.to(device), counts.to(device), cache)
            output_layer(model)(hidden)
            new = [tokens[-TOKENS:] for tokens in new]

    size = fitting_size(partial(decode, STEPS), examples, rows, limit / 6)
    first, more = (
        try_out(partial(decode, steps), examples[:size], size, limit / 2) for steps in (0, STEPS)
    )
    per_token = max(0.0, more.seconds_each - first.seconds_each) / (STEPS * TOKENS)
    return Trial(first.tokens + wanted, first.seconds_each + wanted * per_token, more.peak_bytes)


def _no_spans() -> SupervisedSpans:
    empty = np.empty(0, np.int64)
    no_ratings, no_prior = np.empty(0, np.float32), np.empty((0, 0), np.float32)
    return SupervisedSpans(empty, empty, empty, no_ratings, no_prior)


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
