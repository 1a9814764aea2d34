-- trend: How did a metric change from run to run, and which adapters were promoted? Parameters: metric (rmse), predictor (llm), relevance (liked).
select
    day, dataset, run_id, k, round(value, 4) as value, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high,
    round(change, 4) as change,
    case when promoted then 'champion' when not promoted then 'rejected' else '' end as adapter
from trend
where metric = coalesce(getvariable('metric'), 'rmse') and predictor = coalesce(getvariable('predictor'), 'llm')
    and coalesce(relevance, '') in ('', coalesce(getvariable('relevance'), 'liked'))
order by dataset, protocol, split_recipe, k, day, run_at;
