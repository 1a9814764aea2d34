-- checks: Which checks decided about a run's adapter, the largest excess first? Parameter: run_id.
select check_name, slice_value, round(value, 4) as value, threshold, passed
from checks
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by value - threshold desc, check_name, slice_value;
