-- worst: In which slices does the language model lose most against another predictor? Parameters: metric (rmse), against (bias), relevance (liked), run_id.
select slice, slice_value, round(difference, 4) as difference, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high, n
from worst_slices
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and metric = coalesce(getvariable('metric'), 'rmse') and against = coalesce(getvariable('against'), 'bias')
    and coalesce(relevance, '') in ('', coalesce(getvariable('relevance'), 'liked'))
order by difference desc limit 10;
