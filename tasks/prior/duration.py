"""Says whether the prior would take too long on so many ratings."""

from collections.abc import Iterator

from tasks.prior.config import Prior

SECONDS = 2400  # of one core for all fits, per million ratings: MovieLens-100K, 2026-11-25


def too_long(config: Prior, ratings: int, max_hours: float) -> Iterator[str]:
    """What to change for data of so many ratings."""
    hours = SECONDS * ratings / 1e6 / config.workers / 3600
    if config.model != "none" and hours > max_hours:
        yield (
            f"prior.model: {config.model} would take {hours:.0f} hours or more on {ratings:,} "
            f'ratings: set prior.model to "none" and prompt.prior to "bias", or raise max_hours'
        )
