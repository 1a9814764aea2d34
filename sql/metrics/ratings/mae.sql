-- mae: mean absolute error, in stars, of the predicted median.
select user_id, film_id, abs(median - rating) as value from predicted_ratings;
