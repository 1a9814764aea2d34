-- mse: mean squared error, in squared stars, of the expected rating.
select (mean - rating) * (mean - rating) as value from predicted_ratings;
