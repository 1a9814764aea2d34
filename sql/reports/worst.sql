-- worst: In which slices does the language model lose most against another predictor? Parameters: metric (rmse), against (bias), run_id.
select slice, part, round(difference, 4) as difference, round(low, 4) as low, round(high, 4) as high, n
from worst_slices
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and metric = coalesce(getvariable('metric'), 'rmse') and against = coalesce(getvariable('against'), 'bias')
order by difference desc limit 10;
