-- costs: What did building each stage of the newest run cost, and did that run build it or find it? Parameter: run_id.
select
    stage, kind, left(fingerprint, 8) as begins, case when cache_hit then 'cached' else 'built' end as was,
    round(seconds, 1) as seconds, round(cpu_seconds, 1) as cpu_s, round(peak_bytes / 1e6) as peak_mb, rows,
    round(bytes / 1e6, 1) as mb
from stages
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by stage;
