-- quarantine: Which rows of the source are in quarantine, and why? Parameter: run_id.
select relation, source, rule, count(*) as n, min(line) as first_line, any_value(detail) as example
from quarantine
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
group by relation, source, rule order by n desc, relation, source, rule;
