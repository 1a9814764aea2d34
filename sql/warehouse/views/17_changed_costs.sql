-- changed_costs: what the artifacts of each kind cost in two runs, built or taken from the store.
create or replace view changed_costs as
with costs as (
    select run_id, kind, sum(seconds) as seconds, sum(cpu_seconds) as cpu_seconds, max(peak_bytes) as peak_bytes,
        sum(bytes) as bytes, count(*) filter (not cache_hit) as built
    from stages group by all
)
select a.run_id, b.run_id as with_run, kind, a.seconds, b.seconds as with_seconds, a.cpu_seconds,
    b.cpu_seconds as with_cpu_seconds, a.peak_bytes, b.peak_bytes as with_peak_bytes, a.bytes, b.bytes as with_bytes,
    a.built, b.built as with_built
from costs as a join costs as b using (kind)
where a.run_id <> b.run_id
order by a.run_id, with_run, kind;
