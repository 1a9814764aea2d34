-- cold: whether any rating of the film was known.
select film_id, case when known_ratings = 0 then 'cold' else 'known' end as slice_value from film_facts;
