"""What a pretrained base makes of the ratings before a few steps of LoRA, and after them.

And how many rows of the data it knows by heart before it has seen any here.

    python -m bench.pretrained --json pretrained.json          smollm2-135m: half an hour, two cores
    python -m bench.pretrained --steps 2 --examples 4          a try

The room's own doors, on the newest night's split ratings below `--root`; the RMSE is that of the
expected rating on a sample of the validation fold.
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
FILMS = 10  # shown, and learnt from, in each prompt


def before_and_after(
    night: Store, own: Store, name: str, steps: int, examples: int
) -> dict[str, Any]:
    """RMSE at step 0 and of the best step, and what was learnt from in between."""
    split = night.find_all(SplitRatings)[-1]
    ratings = night.ancestor(ValidatedRatings, split)
    choice = BaseModelConfig(name=name)
    tokenizer = build_tokenizer.fn(ratings, split, config=choice, store=own)
    prompt = Prompt(context_films=FILMS, stride=FILMS, max_windows=1)
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
        "by_heart": measure_memorization.fn(base, ratings, config=Memorization(), store=own)
        .scan("memorization")
        .collect()
        .to_dicts(),
    }


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--examples", type=int, default=64, help="of the validation fold")
    parser.add_argument("--root", type=Path, default=ROOT, help="where a night lies")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        own = Store(Path(folder))
        size = (arguments.steps, arguments.examples)
        figures = before_and_after(Store(arguments.root), own, arguments.base, *size)
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
