-- within_half: share of ratings at most half a star from the value with the most probability within half a star.
select user_id, film_id, cast(abs(within_half - rating) <= 0.5 as integer) as value from predicted_ratings;
