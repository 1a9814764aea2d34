-- mean_error: mean of expected less true rating, in stars; positive where ratings are overestimated.
select mean - rating as value from predicted_ratings;
