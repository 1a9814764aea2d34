-- true_rating: the rating that was to be guessed.
select cast(cast(rating as decimal(2, 1)) as varchar) as slice_value from targets;
