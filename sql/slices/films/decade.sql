-- decade: in which the film was released.
select film_id, coalesce(cast(year // 10 * 10 as varchar) || 's', 'unknown') as slice_value from film_facts;
