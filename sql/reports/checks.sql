-- checks: What did the decision about a run's adapter stand on, the worst first? Parameter: run_id.
select checked, part, round(found, 4) as found, allowed, passed
from checks
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by found - allowed desc, checked, part;
