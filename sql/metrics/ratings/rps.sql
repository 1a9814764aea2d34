-- rps: ranked probability score: mean over the thresholds between neighbouring values of the scale of the squared
-- difference between the probability of a rating up to the threshold and whether the true one is; 0 is best
-- (Epstein, 1969, A Scoring System for Probability Forecasts of Ranked Categories, J. Appl. Meteor. 8).
select
    user_id, film_id,
    (list_inner_product(cumulative, cumulative) - 2 * list_sum(cumulative[place:]) + len(cumulative) - place + 1)
    / nullif(len(cumulative) - 1, 0) as value
from (
    select user_id, film_id, cumulative, list_position((select scale from ratings_scale), rating) as place
    from predicted_ratings
);
