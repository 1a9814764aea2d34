-- within_one: share of ratings that the median misses by at most one star.
select predictor, user_id, film_id, cast(abs(median - rating) <= 1.0 as double) as value, 1.0 as power
from predicted_ratings;
