-- leaderboard: How good is every predictor in the newest run, or in the run that is asked for? Parameter: run_id.
select predictor, metric, k, round(value, 4) as value, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high, n
from leaderboard
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by metric, k nulls first, value;
