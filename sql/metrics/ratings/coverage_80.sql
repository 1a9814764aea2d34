-- coverage_80: share of ratings in their 80 % prediction interval; 0.8 is calibrated, more is too wide.
select user_id, film_id, cast(rating between pi80_low and pi80_high as integer) as value from predicted_ratings;
