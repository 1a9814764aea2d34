"""Door: histories in, prompts out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import Histories, Predictions, Prompts, Tokenizer, TrustedRatings
from tasks.crew import crew
from tasks.prompt.config import Probe, Prompt, Spoiling
from tasks.store import Store


@task
def write_prompts(
    histories: Histories,
    ratings: TrustedRatings,
    tokenizer: Tokenizer,
    *,
    config: Prompt,
    store: Store,
) -> Prompts:
    """Word every example of every fold, tokenise it, and mark what is supervised."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_shards

        with crew(config.workers, config.cluster, store, [ratings, tokenizer]) as workers:
            return write_shards(draft, histories, ratings, tokenizer, config, workers)

    return store.build(Prompts, recipe=config, parents=[histories, ratings, tokenizer], write=write)


@task
def write_candidates(
    histories: Histories,
    ratings: TrustedRatings,
    tokenizer: Tokenizer,
    candidates: Predictions,
    *,
    config: Prompt,
    store: Store,
) -> Prompts:
    """For each user and fold of a table of lists, one `rate` example asking for all its films.

    The ratings of these examples are null: nobody has told what they would be.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_candidate_shards

        with crew(config.workers, config.cluster, store, [ratings, tokenizer]) as workers:
            return write_candidate_shards(
                draft, histories, ratings, tokenizer, candidates, config, workers
            )

    return store.build(
        Prompts, recipe=config, parents=[histories, ratings, tokenizer, candidates], write=write
    )


@task
def spoil_prompts(
    prompts: Prompts, tokenizer: Tokenizer, how: Spoiling, *, config: Probe, store: Store
) -> Prompts:
    """The test questions of some users, behind contexts that tell nothing true of them."""
    wording = Prompt.model_validate(prompts.manifest["recipe"]).template

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.spoil import write_spoilt

        return write_spoilt(draft, prompts, tokenizer, how, wording, config)

    recipe = {"how": how, "users": config.users, "seed": config.seed}
    return store.build(Prompts, recipe=recipe, parents=[prompts, tokenizer], write=write)
