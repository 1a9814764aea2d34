-- within_one: share of ratings that the median misses by at most one star.
select user_id, film_id, cast(abs(median - rating) <= 1.0 as integer) as value from predicted_ratings;
