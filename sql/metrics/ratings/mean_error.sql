-- mean_error: mean of expected less true rating, in stars; positive where too much is promised.
select predictor, user_id, film_id, mean - rating as value, 1.0 as power
from predicted_ratings;
