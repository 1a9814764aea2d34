-- misses: Which ratings did the language model predict worst? Parameter: run_id.
select user_id, title, rating, round(mean, 2) as expected, round(pi80_low, 1) as pi80_low, round(pi80_high, 1) as pi80_high, round(error, 2) as error
from biggest_misses
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by error desc, user_id, title limit 20;
