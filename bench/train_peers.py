"""Trains one peer in its own process, and prints samples per second and peak memory."""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast

import torch
from datasets import Dataset, disable_progress_bars
from peft import PeftModel
from tokenizers import Tokenizer, models
from transformers import (
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from bench.train_samples import SHAPES, Shape, new_model, samples, trie_of
from tasks.hub import best_device, best_dtype
from tasks.nn.out_of_memory import is_out_of_memory
from tasks.store.resource_usage import measure_usage
from tasks.training.config import Objective, TrainingConfig
from tasks.training.trainer import Trainer as OwnTrainer

STEP = 4  # samples of an optimiser step, as the original has them
ONLY_RATINGS = Objective(mse=0)
OVER_SCALE = Objective(vocab_ce=0, scale_ce=1, mse=0)
WHOLE_PROMPT = Objective(mse=0, text_ce=1, mean="tokens")
COMMON: dict[str, Any] = {
    "learning_rate": 1e-3,
    "warmup_steps": 100,
    "per_device_train_batch_size": 1,
    "report_to": [],
    "disable_tqdm": True,
    "save_strategy": "no",
    "logging_strategy": "no",
    "use_cpu": not torch.cuda.is_available(),
    "bf16": best_dtype(best_device()) == torch.bfloat16,
}


class Clock(TrainerCallback):
    """Seconds of every optimiser step."""

    def __init__(self) -> None:
        """Start without a time."""
        self.seconds: list[float] = []

    def on_step_begin(self, *_: object, **__: object) -> None:
        """An optimiser step begins, with all accumulated micro-batches."""
        self.start = time.perf_counter()

    def on_step_end(self, *_: object, **__: object) -> None:
        """The step ends."""
        self.seconds.append(time.perf_counter() - self.start)


def texts(shape: Shape, count: int) -> list[dict[str, list[int]]]:
    """Samples for other libraries: all tokens, and a mask of the rating's."""
    rows = []
    for example in samples(shape, -(-count // shape.targets), shared=False).take(range(count)):
        tokens = [*example.prefix.tolist(), *example.branches[0].tolist()]
        end = len(tokens) - 1  # without the newline
        mask = [int(end - shape.rating <= i < end) for i in range(len(tokens))]
        rows.append({"input_ids": tokens, "completion_mask": mask})
    return rows


def original(model: PeftModel, shape: Shape, runs: int) -> list[float]:
    """The notebooks' recipe: batch 1 by 4, loss on the whole prompt, gradient checkpointing."""
    data_texts = texts(shape, STEP * (1 + runs))
    data = Dataset.from_list(
        [{"input_ids": t["input_ids"], "labels": t["input_ids"]} for t in data_texts]
    )
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            **COMMON,
            gradient_accumulation_steps=STEP,
            activation_checkpointing=True,
            max_steps=1 + runs,
        )
        clock = Clock()
        Trainer(model, arguments, train_dataset=data, callbacks=[clock]).train()
    return [STEP / seconds for seconds in clock.seconds[1:]]


def trl(model: PeftModel, shape: Shape, runs: int, *, packing: bool = True) -> list[float]:
    """TRL's SFTTrainer: loss on the completion, packed samples, no gradient checkpointing.

    Without flash attention, which BLOOM lacks, packed samples attend to each other in TRL; that
    does not change the throughput.
    """
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    rows = texts(shape, STEP * (1 + runs))
    width = max(len(text["input_ids"]) for text in rows)
    with TemporaryDirectory() as folder:
        arguments = SFTConfig(
            folder,
            **COMMON,
            gradient_accumulation_steps=1 if packing else STEP,
            activation_checkpointing=False,
            max_steps=1 + runs,
            packing=packing,
            max_length=width * STEP if packing else width,
            completion_only_loss=True,
        )
        clock = Clock()
        trainer = SFTTrainer(
            model,
            arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=_tokenizer(),
            callbacks=[clock],
        )
        packed = len(cast(Dataset, trainer.train_dataset))
        per_step = len(rows) / packed if packing else STEP
        trainer.train()
    return [per_step / seconds for seconds in clock.seconds[1:]]


def own(
    model: PeftModel,
    shape: Shape,
    runs: int,
    *,
    shared: bool = True,
    packed: bool = True,
    attention: Literal["fused", "flex", "plain"] = "fused",
    objective: Objective = ONLY_RATINGS,
) -> list[float]:
    """Our training loop, with parts of it switched off."""
    width = (shape.films + shape.targets) * (shape.line + shape.rating + 1)
    fit = TrainingConfig(
        examples_per_step=10**6,
        pack_length=width if packed else 1,
        micro_batch_rows=shape.users if packed else 1,
        attention=attention,
        gradient_checkpointing=shape.gradient_checkpointing,
        learning_rate=1e-3,
        warmup=100,
        validate_steps=None,
    )
    speeds = []
    for run in range(1 + runs):
        examples = samples(shape, shape.users, shared=shared, seed=run)
        with TemporaryDirectory() as folder:
            start = time.perf_counter()
            trainer = OwnTrainer(model, trie_of(shape), objective, fit, Path(folder))
            trainer.train(examples, [], "bench")
            speeds.append(shape.users * shape.targets / (time.perf_counter() - start))
    return speeds[1:]


def _tokenizer() -> PreTrainedTokenizerFast:
    """A placeholder: the samples are tokens already."""
    words = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>")


PEERS: dict[str, Callable[[PeftModel, Shape, int], list[float]]] = {
    "original": original,
    "trl": trl,
    "trl, not packed": partial(trl, packing=False),
    "own loop": partial(own, shared=False, packed=False, attention="plain", objective=WHOLE_PROMPT),
    "+ loss on ratings only": partial(own, shared=False, packed=False, attention="plain"),
    "+ fused attention": partial(own, shared=False, packed=False),
    "+ packing": partial(own, shared=False),
    "+ shared context": own,
    "+ logits of the scale only": partial(own, objective=OVER_SCALE),
    "by FlexAttention": partial(own, objective=OVER_SCALE, attention="flex"),
}


def main() -> None:
    """Print {"samples_per_second": ..., "peak_bytes": ...} of one peer, null if out of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("weights", type=Path, help="a folder for the random weights")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    disable_progress_bars()
    warnings.simplefilter("ignore")
    shape = SHAPES[arguments.shape]
    model = new_model(shape, arguments.weights)
    try:
        with measure_usage() as cost:
            speeds = PEERS[arguments.peer](model, shape, arguments.runs)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        print(json.dumps(None))
        return
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else cost["peak_bytes"]
    result = {"samples_per_second": statistics.median(speeds), "peak_bytes": peak}
    print(json.dumps(result | {"runs": speeds}))


if __name__ == "__main__":
    main()
