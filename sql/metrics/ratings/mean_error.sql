-- mean_error: mean of expected less true rating, in stars; positive where ratings are overestimated.
select user_id, film_id, mean - rating as value from predicted_ratings;
