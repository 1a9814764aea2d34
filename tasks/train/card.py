"""The model card that lies beside an adapter."""

from collections.abc import Mapping
from typing import Any

from tasks.store.artifacts import Base, Prompts
from tasks.train.config import Train

CARD = """---
library_name: peft
base_model: {base}
license: {licence}
tags: [lora, recommendation, movielens]
---
# What to watch next: an adapter for {base}

A LoRA adapter that reads what a user has rated and tells how the user will rate further films,
and which films to watch next. It works on its base model alone.

| | |
|---|---|
| base model | {base}, revision {revision} |
| data | {dataset}, {protocol}; prompts {prompts} |
| trained parameters | {trained:,} of {parameters:,} ({share:.4%}) |
| LoRA | r {r}, alpha {alpha}, dropout {dropout}, on {targets} |
| learnt | {examples:,} examples, {tokens:,} tokens, {steps:,} steps |
| validation | loss {loss}, RMSE of the expected rating {rmse} |
| objective | {objective} |
| seed | {seed} |

The RMSE is of validation targets, on which the best weights were chosen; the scores on test
targets, beside those of simple predictors, are in the night's report.

## Limits
- It knows films and tastes of the dataset named above, no others, and no later ones.
- MovieLens users chose to rate films on a website: they are not everybody.
- A rating is an expectation with a wide spread; single predictions are often a star off.

## Licence
The base model's licence is {licence}. The dataset's own terms hold for what was learnt from it.
"""


def model_card(
    base: Base, prompts: Prompts, config: Train, notes: Mapping[str, Any], last: Mapping[str, Any]
) -> str:
    """The card's text: the same for the same training. `last` is the best validated step."""
    told = prompts.metadata
    lora, objective = config.lora, config.objective.model_dump(exclude_defaults=False)
    return CARD.format(
        base=base.metadata["name"],
        licence=base.metadata["licence"],
        revision=base.metadata.get("revision", base.fingerprint),
        dataset=told["dataset"],
        protocol=told["protocol"],
        prompts=prompts.fingerprint,
        trained=notes["trained_parameters"],
        parameters=notes["parameters"],
        share=notes["trained_parameters"] / notes["parameters"],
        r=lora.r,
        alpha=lora.alpha,
        dropout=lora.dropout,
        targets=lora.targets if isinstance(lora.targets, str) else ", ".join(lora.targets),
        examples=last["examples"],
        tokens=last["tokens"],
        steps=last["step"],
        loss=_figure(last["validation_loss"]),
        rmse=_figure(last["validation_rmse"]),
        objective=", ".join(f"{name} {weight}" for name, weight in objective.items() if weight),
        seed=config.fit.seed,
    )


def _figure(value: float | None) -> str:
    return "not taken" if value is None else f"{value:.4f}"
