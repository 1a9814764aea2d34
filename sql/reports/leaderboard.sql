-- leaderboard: How good is every predictor in the newest run, or in the run that is asked for? Parameter: run_id.
select predictor, metric, k, round(value, 4) as value, round(low, 4) as low, round(high, 4) as high, n
from leaderboard
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by metric, k nulls first, value;
