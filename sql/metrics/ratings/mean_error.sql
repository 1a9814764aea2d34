-- mean_error: mean of expected less true rating, in stars; positive where too much is promised.
select mean - rating as value from predicted_ratings;
