-- llm_value: what the language models add: each metric of the blend minus the same of the blend without them,
-- over everyone and by slice. A negative difference of an error is a gain.
create or replace view llm_value as
select run_id, run_at, metric, slice, slice_value, difference, ci95_low, ci95_high, p_adjusted, n
from comparisons join runs using (run_id)
where predictor = 'blend' and against like 'blend_without_%'
order by run_at desc, run_id, metric, slice = 'everyone' desc, slice, slice_value;
