-- memorization: How many rows of the data does the pretrained base complete word for word? Parameter: run_id.
select kind, n, memorized, round(share, 4) as share, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high
from memorization
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by kind;
