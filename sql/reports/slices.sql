-- slices: How does the language model differ from another predictor, by slice? Parameters: run_id, metric (rmse), against (bias), relevance (liked).
select slice, slice_value, round(difference, 4) as difference, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high,
    round(p_adjusted, 4) as p_adjusted, n
from comparisons
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and predictor = 'llm' and metric = coalesce(getvariable('metric'), 'rmse')
    and against = coalesce(getvariable('against'), 'bias')
    and coalesce(relevance, '') in ('', coalesce(getvariable('relevance'), 'liked'))
order by slice, slice_value;
