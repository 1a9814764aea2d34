"""Tasks: perturb prompts, score their predictions, and measure memorization."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import task

from tasks.audit.config import Ablation, Memorization, Perturbation
from tasks.store.artifacts import (
    AblationScores,
    Base,
    MemorizationScores,
    PerturbedPrompts,
    Prompts,
    RatingPredictions,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def perturb_prompts(
    prompts: Prompts,
    tokenizer: Tokenizer,
    perturbation: Perturbation,
    *,
    config: Ablation,
    store: Store,
) -> PerturbedPrompts:
    """Perturb the contexts of some users' test prompts; the questions stay as they are."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.audit.perturb import write_perturbed

        return write_perturbed(draft, prompts, tokenizer, perturbation, config)

    recipe = {"perturbation": perturbation, "users": config.users, "seed": config.seed}
    return store.build(PerturbedPrompts, recipe=recipe, parents=[prompts, tokenizer], write=write)


@task
def score_ablations(
    predictions: RatingPredictions,
    perturbed: Mapping[Perturbation, RatingPredictions],
    *,
    resamples: int,
    seed: int,
    store: Store,
) -> AblationScores:
    """Compare the error behind perturbed contexts with that behind the true ones."""

    def write(draft: Path) -> None:
        from tasks.audit.ablations import write_ablations

        write_ablations(draft, predictions, perturbed, resamples, seed)

    recipe = {"ablations": sorted(perturbed), "resamples": resamples, "seed": seed}
    parents = [predictions, *(perturbed[name] for name in sorted(perturbed))]
    return store.build(AblationScores, recipe=recipe, parents=parents, write=write)


@task
def measure_memorization(
    base: Base, ratings: ValidatedRatings, *, config: Memorization, store: Store
) -> MemorizationScores:
    """Count the rows of the data's files that a base completes exactly."""

    def write(draft: Path) -> None:
        from tasks.audit.memorization import write_memorization

        write_memorization(draft, base, ratings, config)

    return store.build(MemorizationScores, recipe=config, parents=[base, ratings], write=write)
