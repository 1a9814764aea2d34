"""RMSE of a pretrained base before and after a few steps of LoRA, and what it has memorized.

    python -m bench.pretrained --json pretrained.json          smollm2-135m: half an hour, two cores
    python -m bench.pretrained --steps 2 --examples 4          a try

Runs the stages' own tasks on the newest run's split ratings below `--root`; the RMSE is that of
the expected rating on a sample of the validation fold.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.audit.config import Memorization
from tasks.audit.task import measure_memorization
from tasks.base.config import BaseModelConfig
from tasks.base.task import build_base, build_tokenizer
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.train.task import train_adapter
from tasks.training.config import TrainingConfig

ROOT = Path(__file__).resolve().parent.parent
FILMS = 10  # in the context of each prompt, and as targets


def before_and_after(
    source: Store, own: Store, name: str, steps: int, examples: int
) -> dict[str, Any]:
    """RMSE at step 0 and at the last step, the training budget, and memorized rows."""
    split = source.find_all(SplitRatings)[-1]
    ratings = source.ancestor(ValidatedRatings, split)
    choice = BaseModelConfig(name=name)
    tokenizer = build_tokenizer.fn(ratings, split, config=choice, store=own)
    prompt = Prompt(
        context_films=FILMS, stride=FILMS, max_windows=1, prior="neighbours", learn_from="history"
    )
    prompts = write_prompts.fn(split, ratings, tokenizer, config=prompt, store=own)
    base = build_base.fn(tokenizer, prompts, config=choice, store=own)
    fit = TrainingConfig(
        kinds=("rate",),
        max_steps=steps,
        tokens_per_step=2048,
        learning_rate=5e-4,
        validate_steps=steps,
        validation_examples=examples,
    )
    adapter = train_adapter.fn(base, prompts, config=Train(fit=fit), store=own)
    history = adapter.scan("history").collect()
    validated = history["validation_rmse"].drop_nulls()
    return {
        "base": name,
        "dataset": split.metadata["dataset"],
        "steps": steps,
        "tokens": history["tokens"][-1],
        "rmse_before": validated[0],
        "rmse_after": validated[-1],
        "memorization": measure_memorization.fn(base, ratings, config=Memorization(), store=own)
        .scan("memorization")
        .collect()
        .to_dicts(),
    }


def main() -> None:
    """Measure, print, and write JSON with `--json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--examples", type=int, default=64, help="of the validation fold")
    parser.add_argument("--root", type=Path, default=ROOT, help="store of a finished run")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        own = Store(Path(folder))
        figures = before_and_after(
            Store(arguments.root), own, arguments.base, arguments.steps, arguments.examples
        )
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
