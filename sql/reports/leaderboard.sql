-- leaderboard: What does every predictor score over everyone in the newest run, or another one? Parameter: run_id.
select
    predictor, metric, k, relevance, round(value, 4) as value, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high, n
from leaderboard
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by metric, k nulls first, relevance nulls first, value;
