-- changed_settings: what differs in the settings, and in the code, of the artifacts of two runs; null where a run has none
-- of that name. Several values are those of several artifacts of the kind. Runs of before settings were kept have none.
create or replace view changed_settings as
with named as (
    select run_id, kind, setting, string_agg(value, ' ' order by value) as value from settings group by all
),
pairs as (
    select a.run_id, b.run_id as with_run from runs as a join runs as b on a.run_id <> b.run_id
    where a.run_id in (select run_id from settings) and b.run_id in (select run_id from settings)
)
select p.run_id, p.with_run, kind, setting, a.value, b.value as with_value
from pairs as p
cross join (select distinct kind, setting from named)
left join named as a using (run_id, kind, setting)
left join named as b on b.run_id = p.with_run and b.kind = kind and b.setting = setting
where a.value is distinct from b.value
order by p.run_id, p.with_run, kind, setting;
