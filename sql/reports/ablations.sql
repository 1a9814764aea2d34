-- ablations: How much RMSE does the language model lose where its contexts are perturbed? Parameter: run_id.
select ablation, n, round(rmse, 4) as rmse, round(difference, 4) as difference, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high
from ablations
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by difference, ablation;
