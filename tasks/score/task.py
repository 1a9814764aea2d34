"""Doors: predictions in, metrics with intervals out; and what spoilt contexts do to them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import task

from tasks.artifacts import Histories, Predictions, Probes, Scores, TrustedRatings
from tasks.crew import crew
from tasks.score.config import Score
from tasks.score.statements import SQL, statements
from tasks.store import Store


@task
def score(
    histories: Histories,
    ratings: TrustedRatings,
    predictions: Sequence[Predictions],
    *,
    config: Score,
    store: Store,
) -> Scores:
    """Take every metric of every predictor on the test fold, with intervals and differences."""

    def write(draft: Path) -> dict[str, object]:
        from tasks.score.measure import measure
        from tasks.score.sums import Asked

        asked = Asked(histories, ratings, tuple(predictions), config)
        with crew(2, config.cluster, store, parents) as workers:
            return measure(draft, asked, workers)

    parents = [histories, ratings, *predictions]
    texts = {str(file.relative_to(SQL)): text for file, text in statements("metrics/*", "slices/*")}
    return store.build(
        Scores,
        recipe=config.model_dump(mode="json") | {"statements": texts},
        parents=parents,
        write=write,
    )


@task
def score_probes(
    said: Predictions, probed: Mapping[str, Predictions], *, config: Score, store: Store
) -> Probes:
    """Compare what a model says behind spoilt contexts, probe by probe, with the night's."""

    def write(draft: Path) -> None:
        from tasks.score.probes import write_probes

        write_probes(draft, said, probed, config)

    recipe = {"probes": sorted(probed), "resamples": config.resamples, "seed": config.seed}
    parents = [said, *(probed[name] for name in sorted(probed))]
    return store.build(Probes, recipe=recipe, parents=parents, write=write)
