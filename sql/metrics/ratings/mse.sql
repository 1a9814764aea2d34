-- mse: mean squared error, in squared stars, of the expected rating.
select user_id, film_id, (mean - rating) * (mean - rating) as value from predicted_ratings;
