"""Door: an adapter over its base, prompts and histories in, predictions out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import (
    Adapter,
    Base,
    Histories,
    Predictions,
    Prompts,
    Recalled,
    TrustedRatings,
)
from tasks.crew import crew
from tasks.predict.config import Ask, FreeText, Predict, Rank, Recall, Retrieve
from tasks.store import Store


@task
def predict(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    histories: Histories,
    *,
    config: Predict,
    store: Store,
    calibrated: Predictions | None = None,
) -> Predictions:
    """A distribution for every asked rating, and a list of films for every user of the test fold.

    Distributions are calibrated on the validation fold, or as `calibrated` was: candidates that
    nobody has rated cannot tell.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.night import predict_all

        adapters = {config.predictor: adapter}
        with crew(1, config.cluster, store, needs) as workers:
            return predict_all(
                draft, adapters, base, prompts, histories, config, calibrated, workers
            )

    needs = [adapter, base, prompts, histories]
    parents = [*needs, *([calibrated] if calibrated else [])]
    return store.build(Predictions, recipe=config, parents=parents, write=write, resumable=True)


@task
def predict_together(
    adapters: Mapping[str, Adapter],
    base: Base,
    prompts: Prompts,
    histories: Histories,
    *,
    config: Predict,
    store: Store,
) -> Predictions:
    """What several adapters of one base say, each under its name, in one pass over the users.

    Bit for bit what `predict` makes of each: for a champion and its challenger.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.night import predict_all

        with crew(1, config.cluster, store, parents) as workers:
            return predict_all(draft, adapters, base, prompts, histories, config, None, workers)

    recipe = config.model_dump(mode="json") | {"names": list(adapters)}
    parents = [*adapters.values(), base, prompts, histories]
    return store.build(Predictions, recipe=recipe, parents=parents, write=write, resumable=True)


@task
def write_freely(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    histories: Histories,
    *,
    config: FreeText,
    store: Store,
) -> Predictions:
    """The lists that the model writes when nothing holds it, each failure with its name."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.free_text import write_free_lists

        return write_free_lists(draft, adapter, base, prompts, histories, config)

    parents = [adapter, base, prompts, histories]
    return store.build(Predictions, recipe=config, parents=parents, write=write)


@task
def retrieve(histories: Histories, *, config: Retrieve, store: Store) -> Predictions:
    """The candidates of every user of the validation and the test fold, as lists."""

    def write(draft: Path) -> None:
        from tasks.predict.retrieving import write_candidates_of

        write_candidates_of(draft, histories, config)

    return store.build(Predictions, recipe=config, parents=[histories], write=write)


@task
def weigh(
    adapter: Adapter, base: Base, candidates: Prompts, *, config: Predict, store: Store
) -> Predictions:
    """Each user's candidates as a list, by how likely the model finds their lines."""

    def write(draft: Path) -> None:
        from tasks.predict.weighing import weigh_all

        with crew(1, config.cluster, store, parents) as workers:
            weigh_all(draft, adapter, base, candidates, config, workers)

    parents = [adapter, base, candidates]
    return store.build(Predictions, recipe=config, parents=parents, write=write, resumable=True)


@task
def rank(
    histories: Histories,
    ratings: TrustedRatings,
    retrieved: Predictions,
    rated: Predictions,
    weighed: Predictions,
    *,
    config: Rank,
    store: Store,
    like: Predictions | None = None,
) -> Predictions:
    """Lists of the retriever's candidates, the language model being heard where that helps.

    `rated` and `weighed` are what the model makes of the prompts that `write_candidates` wrote
    for `retrieved`. How much it is heard is fitted on the validation fold, or as in `like`: one
    who asks on demand cannot tell.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.ranking import write_ranking

        return write_ranking(draft, histories, ratings, retrieved, rated, weighed, config, like)

    parents = [histories, ratings, retrieved, rated, weighed, *([like] if like else [])]
    return store.build(Predictions, recipe=config, parents=parents, write=write)


@task
def probe_recall(base: Base, ratings: TrustedRatings, *, config: Recall, store: Store) -> Recalled:
    """How many rows of the data's files a base goes on with as they are."""

    def write(draft: Path) -> None:
        from tasks.predict.recall import write_recalled

        write_recalled(draft, base, ratings, config)

    return store.build(Recalled, recipe=config, parents=[base, ratings], write=write)


@task
def take_question(
    histories: Histories, ratings: TrustedRatings, *, config: Ask, store: Store
) -> Histories:
    """The histories with everything known, and with the asker's; notes tell what was understood."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.asking import write_asker

        return write_asker(draft, histories, ratings, config)

    return store.build(Histories, recipe=config, parents=[histories, ratings], write=write)


@task
def answer(
    adapter: Adapter,
    base: Base,
    candidates: Prompts,
    rated: Predictions,
    ranked: Predictions,
    ratings: TrustedRatings,
    *,
    config: Ask,
    store: Store,
) -> Predictions:
    """The first films of the asker's list, with their ratings and with reasons (reasons.json)."""

    def write(draft: Path) -> None:
        from tasks.predict.answering import write_answer

        write_answer(draft, adapter, base, candidates, rated, ranked, ratings, config)

    parents = [adapter, base, candidates, rated, ranked, ratings]
    return store.build(Predictions, recipe=config, parents=parents, write=write)
