-- told_apart: Which differences does the newest run tell apart, and which not? Parameters: run_id, predictor (llm).
select metric, k, against, round(difference, 4) as difference, round(low, 4) as low, round(high, 4) as high, verdict
from verdicts
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and predictor = coalesce(getvariable('predictor'), 'llm')
order by metric, k nulls first, difference;
