-- worst_slices: where the language model loses most against each other predictor, newest run first.
create or replace view worst_slices as
select run_id, run_at, metric, k, relevance, slice, slice_value, against, difference, ci95_low, ci95_high, p_adjusted, n
from comparisons join runs using (run_id)
where predictor = 'llm' and slice <> 'everyone'
order by run_at desc, metric, relevance, difference desc;
