"""Says which baselines would take too long on so many ratings, or more memory than there is."""

import os
from collections.abc import Iterator

from tasks.baseline.config import Baseline

# Seconds of one core for a fit, per million ratings, measured on MovieLens-100K beside other
# processes, 2026-11-25; sasrec with 20 passes to select and 10 after, 2026-11-26. More films make
# it more with sasrec: a lower bound.
SECONDS = {"funk_svd": 85, "implicit_als": 10, "neighbourhood": 40, "sasrec": 600, "svdpp": 15}
PER_FILM = 60  # ratings there: neighbourhood's time grows with them, too
EASE_COPIES = 3  # of a matrix of all films in single precision


def too_large(config: Baseline, ratings: int, films: int, max_hours: float) -> Iterator[str]:
    """What to change for data of so many ratings and films, a sentence each."""
    for setting, folds in (("rating_models", 2), ("list_models", 1)):
        for name in getattr(config, setting):
            hours = SECONDS.get(name, 0) * ratings / 1e6 * (folds + _trials(config, name)) / 3600
            if name == "neighbourhood":
                hours *= max(1, ratings / films / PER_FILM)
            if hours > max_hours:
                yield (
                    f"baseline.{setting}: {name} would take {hours:.1f} hours or more on "
                    f"{ratings:,} ratings: leave it out, or raise max_hours"
                )
    of_ease = min(films, config.ease_films or films)
    needed = EASE_COPIES * 4 * of_ease**2
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if "ease" in config.list_models and needed > memory:
        yield (
            f"baseline.list_models: ease would take {needed / 1e9:.0f} GB of memory on {of_ease:,} "
            f"films, and this machine has {memory / 1e9:.0f}: lower baseline.ease_films"
        )


def _trials(config: Baseline, name: str) -> int:
    if name not in config.tuning.models:
        return 0
    return 1 if name == "sasrec" else config.tuning.trials
