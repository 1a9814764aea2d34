"""Tasks: prompts of every fold, and prompts that ask for candidates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import task

from tasks.executor import open_executor
from tasks.prompt.config import Prompt
from tasks.store.artifacts import (
    CandidatePrompts,
    Candidates,
    Prompts,
    RatingPriors,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def write_prompts(
    split: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    priors: RatingPriors | None = None,
    *,
    config: Prompt,
    store: Store,
) -> Prompts:
    """Write every example of every fold as text and tokens, with its supervised spans.

    `priors` are needed where `config.needs_priors`. Raises ValueError where they are missing.
    """
    priors = priors if config.needs_priors else None
    _check_priors(config, priors is not None)

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_shards

        with open_executor(
            config.workers, config.dask_address, store, [ratings, tokenizer]
        ) as executor:
            return write_shards(draft, split, ratings, tokenizer, priors, config, executor)

    parents = [split, ratings, tokenizer, *([priors] if priors else [])]
    return store.build(Prompts, recipe=config, parents=parents, write=write)


@task
def write_candidate_prompts(
    split: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    candidates: Candidates,
    priors: Sequence[RatingPriors] = (),
    *,
    config: Prompt,
    store: Store,
) -> CandidatePrompts:
    """Write one `rate` example for each user and fold with candidates; its ratings are null.

    `priors` are those of the histories and of the candidates, where `config.needs_priors`. Raises
    ValueError where they are missing.
    """
    priors = priors if config.needs_priors else ()
    _check_priors(config, len(priors) == 2)

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prompt.shards import write_candidate_shards

        with open_executor(
            config.workers, config.dask_address, store, [ratings, tokenizer]
        ) as executor:
            return write_candidate_shards(
                draft, split, ratings, tokenizer, candidates, priors, config, executor
            )

    return store.build(
        CandidatePrompts,
        recipe=config,
        parents=[split, ratings, tokenizer, candidates, *priors],
        write=write,
    )


def _check_priors(config: Prompt, given: bool) -> None:
    if config.needs_priors and not given:
        raise ValueError(
            'prompt.prior is "fitted", and no priors were given: fit them, or set prompt.prior to '
            '"bias" or "neighbours"'
        )
