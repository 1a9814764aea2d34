-- llm_value: what the language models add: each metric of the blend, and of the ranked lists, minus the same of those
-- without them, over everyone and by slice. A negative difference of an error is a gain, of other metrics a positive one.
create or replace view llm_value as
select
    run_id, run_at, predictor, metric, k, relevance, slice, slice_value, difference, ci95_low, ci95_high, p_adjusted, n
from comparisons join runs using (run_id)
where starts_with(against, predictor || '_without_')
order by run_at desc, run_id, metric, k, relevance, slice = 'everyone' desc, slice, slice_value;
