-- exact: share of ratings that the most likely value hits, to the nearest half star.
select predictor, user_id, film_id, cast(round(mode * 2) = rating * 2 as double) as value, 1.0 as power
from predicted_ratings;
