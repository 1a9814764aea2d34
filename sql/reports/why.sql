-- why: Which shard, adapter, data and commit does a user's list come from? Parameters: user (the first), predictor (llm), run_id.
select rank, title, round(expected, 2) as expected, rated, shard, prompts, adapter, validated_ratings as data, commit
from why_recommended
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and predictor = coalesce(getvariable('predictor'), 'llm')
    and user_id = coalesce(cast(getvariable('user') as integer), (select min(user_id) from recommended))
order by rank;
