-- rmse: root of the mean squared error, in stars, of the expected rating.
select predictor, user_id, film_id, power(mean - rating, 2) as value, 0.5 as power
from predicted_ratings;
