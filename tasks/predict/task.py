"""Door: an adapter over its base, prompts and histories in, predictions out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import Adapter, Base, Histories, Predictions, Prompts, TrustedRatings
from tasks.predict.config import Ask, Predict
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

        return predict_all(draft, adapter, base, prompts, histories, config, calibrated)

    parents = [adapter, base, prompts, histories, *([calibrated] if calibrated else [])]
    return store.build(Predictions, recipe=config, parents=parents, write=write, resumable=True)


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
def propose(asked: Histories, *, config: Ask, store: Store) -> Predictions:
    """The films that the asker may be told of, as a list whose order means nothing."""

    def write(draft: Path) -> None:
        from tasks.predict.asking import write_proposals

        write_proposals(draft, asked, config)

    return store.build(Predictions, recipe=config, parents=[asked], write=write)


@task
def answer(
    adapter: Adapter,
    base: Base,
    candidates: Prompts,
    asked: Histories,
    calibrated: Predictions,
    *,
    config: Ask,
    store: Store,
) -> Predictions:
    """A list for the asker, each film with its expected rating and with reasons (reasons.json)."""

    def write(draft: Path) -> None:
        from tasks.predict.answering import write_answer

        write_answer(draft, adapter, base, candidates, asked, calibrated, config)

    parents = [adapter, base, candidates, asked, calibrated]
    return store.build(Predictions, recipe=config, parents=parents, write=write)
