-- user: What was recommended to a user, and how did the user then rate it? Parameters: user (the first), run_id.
select predictor, rank, title, round(expected, 2) as expected, rated
from recommended
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and user_id = coalesce(cast(getvariable('user') as integer), (select min(user_id) from recommended))
order by predictor, rank;
