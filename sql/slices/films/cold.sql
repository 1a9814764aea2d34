-- cold: whether the film has any known rating.
select film_id, case when known_ratings = 0 then 'cold' else 'known' end as slice_value from film_facts;
