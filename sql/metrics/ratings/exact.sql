-- exact: share of ratings that the most likely value hits, to the nearest half star.
select user_id, film_id, cast(round(mode * 2) = rating * 2 as integer) as value from predicted_ratings;
