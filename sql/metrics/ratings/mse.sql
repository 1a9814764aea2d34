-- mse: mean squared error, in squared stars, of the expected rating.
select predictor, user_id, film_id, power(mean - rating, 2) as value, 1.0 as power
from predicted_ratings;
