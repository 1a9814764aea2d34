-- mae: mean absolute error, in stars, of the predicted median.
select abs(median - rating) as value from predicted_ratings;
