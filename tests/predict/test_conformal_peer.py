"""The width of an interval is crepes', where every user has one rating."""

import numpy as np
import pytest
from crepes import ConformalRegressor

from tasks.predict.distributions import mid_distribution
from tasks.predict.intervals import fit_widths

RATINGS, VALUES = 150, 5


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_mass_of_an_interval_is_that_of_split_conformal_prediction(level, monkeypatch):
    monkeypatch.setattr("tasks.predict.intervals.GROUPS", (1,))
    draw = np.random.default_rng(0)
    probabilities = draw.dirichlet(np.ones(VALUES), RATINGS)
    truth = draw.integers(VALUES, size=RATINGS)
    middle = mid_distribution(probabilities)[np.arange(RATINGS), truth]
    theirs = ConformalRegressor().fit(2 * middle - 1)
    half = theirs.predict_int(np.zeros(1), confidence=level)[0, 1]
    widths = fit_widths(probabilities, truth, np.arange(RATINGS), level)
    assert widths.masses == (pytest.approx(half, abs=1e-12),)
