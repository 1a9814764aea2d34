-- ablations: Does the language model read its prompts: how much worse is it where they are spoilt? Parameter: run_id.
select ablation, n, round(rmse, 4) as rmse, round(difference, 4) as difference, round(low, 4) as low, round(high, 4) as high
from ablations
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by difference, ablation;
