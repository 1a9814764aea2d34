-- mae: mean absolute error, in stars, of the median of what was predicted.
select abs(median - rating) as value from predicted_ratings;
