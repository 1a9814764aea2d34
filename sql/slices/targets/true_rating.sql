-- true_rating: the true rating of the target.
select user_id, film_id, cast(cast(rating as decimal(2, 1)) as varchar) as slice_value from targets;
