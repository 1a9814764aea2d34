-- mae: mean absolute error, in stars, of the median of what was predicted.
select predictor, user_id, film_id, abs(median - rating) as value, 1.0 as power
from predicted_ratings;
