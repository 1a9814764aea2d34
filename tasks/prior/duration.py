"""Says whether the prior would take too long on so many ratings."""

from collections.abc import Iterator

from tasks.prior.config import Prior

SECONDS = 2.2  # of one core for a draw, per million ratings: MovieLens-100K, 2026-11-25


def too_long(config: Prior, ratings: int, users: int, max_hours: float) -> Iterator[str]:
    """What to change for data of so many ratings and users."""
    share = min(1.0, (config.users or users) / users)
    # The fit of a part of the histories is on the parts before it: half of them on average.
    draws = 2 * config.draws + (config.stretches - 1) * config.stretch_draws / 2
    hours = SECONDS * draws * share * ratings / 1e6 / config.workers / 3600
    if config.model != "none" and hours > max_hours:
        yield (
            f"prior.model: {config.model} would take {hours:.1f} hours or more on "
            f"{share * ratings:,.0f} ratings: set prior.users to fewer of the {users:,} users, "
            "lower prior.draws and prior.stretch_draws, or raise max_hours"
        )
