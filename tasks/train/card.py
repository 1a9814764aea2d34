"""The model card of an adapter, with its validation RMSE as an evaluation result."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from tasks.store.artifacts import Base, Prompts
from tasks.train.config import Train

TEMPLATE = """---
{{ card_data }}
---
# Content Advisor: a LoRA adapter for {{ base }}

Predicts how a user will rate films, and which films to watch next, from the films that the user
has rated. It works on its base model only.

| | |
|---|---|
| base model | {{ base }}, revision {{ revision }} |
| data | {{ dataset }}, {{ protocol }}; prompts {{ prompts }} |
| trained parameters | {{ trained }} |
| LoRA | {{ lora }} |
| trained on | {{ budget }} |
| validation | loss {{ loss }}, RMSE of the expected rating {{ rmse }} |
| objective | {{ objective }} |
| seed | {{ seed }} |

The RMSE is that of validation targets, on which the best weights were chosen. The run's report
compares the scores on test targets with those of classical recommenders.

## Limits
- It knows the films of the dataset named above, and none that are newer.
- MovieLens users chose to rate films on a website: they do not represent everybody.
- A single prediction is often a star off.

## Licence
The base model's licence is {{ licence }}. The dataset's own terms hold for what was learned from
it.
"""


def model_card(
    base: Base,
    prompts: Prompts,
    config: Train,
    metadata: Mapping[str, Any],
    best: Mapping[str, Any],
) -> str:
    """The card's text; `best` is the row of the history whose weights were kept."""
    name, licence, data = base.metadata["name"], base.metadata["licence"], prompts.metadata
    trained, total = metadata["trained_parameters"], metadata["parameters"]
    lora, weights = config.lora, config.objective.model_dump(exclude={"mean"})
    targets = lora.targets if isinstance(lora.targets, str) else ", ".join(lora.targets)
    card = ModelCard.from_template(
        ModelCardData(
            base_model=name,
            library_name="peft",
            license=licence,
            tags=["lora", "recommendation", "movielens"],
            model_name=f"content-advisor-{name}",
            eval_results=_eval_results(data["dataset"], best["validation_rmse"]),
        ),
        template_str=TEMPLATE,
        base=name,
        licence=licence,
        revision=base.metadata.get("revision", base.fingerprint),
        dataset=data["dataset"],
        protocol=data["protocol"],
        prompts=prompts.fingerprint,
        trained=f"{trained:,} of {total:,} ({trained / total:.4%})",
        lora=f"r {lora.r}, alpha {lora.alpha}, dropout {lora.dropout}, on {targets}",
        budget="{examples:,} examples, {tokens:,} tokens, {step:,} steps".format(**best),
        loss=_figure(best["validation_loss"]),
        rmse=_figure(best["validation_rmse"]),
        objective=", ".join(f"{loss} {weight}" for loss, weight in weights.items() if weight)
        + f", mean over {config.objective.mean}",
        seed=config.fit.seed,
    )
    return str(card)


def _eval_results(dataset: str, rmse: float | None) -> list[EvalResult]:
    """The validation RMSE; none where training was not validated."""
    if rmse is None:
        return []
    return [
        EvalResult(
            task_type="other",
            task_name="rating prediction",
            dataset_type="movielens",
            dataset_name=dataset,
            dataset_split="validation",
            metric_type="rmse",
            metric_value=round(rmse, 4),
        )
    ]


def _figure(value: float | None) -> str:
    return "not validated" if value is None else f"{value:.4f}"
