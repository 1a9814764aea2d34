-- rmse: root of the mean squared error, in stars, of the expected rating.
select user_id, film_id, (mean - rating) * (mean - rating) as value, 0.5 as power from predicted_ratings;
