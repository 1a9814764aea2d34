"""How much harder the test fold is than the validation fold, as far as earlier ratings tell.

Validation asks some of the users, and asks of an earlier time. What the test fold will be like is
told by what is known of everybody before it: how far each rating lay from a plain guess made out of
strictly earlier ratings. It is compared between the validation targets and everybody's last known
ratings, and its trend along the histories is followed one step further.
"""

import numpy as np
import polars as pl

FILM_DAMPING, USER_DAMPING = 5.0, 10.0  # ratings of the middle that a mean begins with
STEPS = 5  # of a history that its trend is taken of


def surprises(histories: pl.DataFrame) -> pl.DataFrame:
    """Every rating but the test targets, with `missed`: how far it lay from the plain guess.

    The guess is the film's mean before, and how far the user's ratings lay from theirs before.
    """
    hidden = (pl.col("fold") == "test") & (pl.col("role") == "target")
    known = histories.filter(~hidden, pl.col("fold") != "unused")
    known = known.sort("rated_at", "user_id", "position")
    known = known.with_columns(over=pl.col("rating") - pl.col("rating").mean())
    known = known.with_columns(over=pl.col("over") - _mean_before("over", "film_id", FILM_DAMPING))
    known = known.sort("user_id", "position")
    return known.with_columns(missed=pl.col("over") - _mean_before("over", "user_id", USER_DAMPING))


def level_for(histories: pl.DataFrame, covered: float) -> float:
    """The share of the validation targets to be held for so many of the test targets to be.

    As if all that can be missed were to grow by one factor, the plain guess's.
    """
    before = surprises(histories).filter(fold="validation", role="target")
    missed = before["missed"].abs().to_numpy()
    if not len(missed):
        return covered
    held = np.quantile(missed, covered, method="higher")
    return float((missed <= harder(histories) * held).mean())


def harder(histories: pl.DataFrame) -> float:
    """By which factor a guess of a test target is further off than one of a validation target."""
    known = surprises(histories)
    asked = histories.filter(fold="test", role="target").group_by("user_id").agg(asked=pl.len())
    back = (pl.len() - 1 - pl.int_range(pl.len())).over("user_id")
    of_asked = known.with_columns(back=back).join(asked, on="user_id")
    of_asked = of_asked.with_columns(step=pl.col("back") // pl.col("asked"))
    before = known.filter(fold="validation", role="target")
    if before.is_empty() or of_asked.is_empty():
        return 1.0
    whole = (pl.col("back").max() + 1 >= STEPS * pl.col("asked").first()).over("user_id")
    steps = of_asked.filter(whole, pl.col("step") < STEPS).group_by("step").agg(_size).sort("step")
    slope = 0.0
    if len(steps) == STEPS:
        slope = -float(np.polyfit(np.arange(STEPS), np.log(steps["missed"].to_numpy()), 1)[0])
    last = of_asked.filter(step=0).select(_size).item()
    return float(last / before.select(_size).item() * np.exp(slope))


_size = pl.col("missed").pow(2).mean().sqrt()


def _mean_before(name: str, of: str, damping: float) -> pl.Expr:
    """Of the rows before of the same film or user, as they are sorted."""
    value = pl.col(name)
    return (value.cum_sum() - value).over(of) / (pl.int_range(pl.len()).over(of) + damping)
