-- within_half: share of ratings that the value chosen for this purpose misses by at most half a star.
select cast(abs(within_half - rating) <= 0.5 as integer) as value from predicted_ratings;
