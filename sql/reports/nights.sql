-- nights: How did a metric move from night to night? Parameters: metric (rmse), predictor (llm).
select run_at, dataset, protocol, run_id, k, round(value, 4) as value, round(change, 4) as change
from trend
where metric = coalesce(getvariable('metric'), 'rmse') and predictor = coalesce(getvariable('predictor'), 'llm')
order by dataset, protocol, k, run_at;
