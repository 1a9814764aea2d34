-- everyone: all targets.
select user_id, film_id, 'all' as part from targets;
