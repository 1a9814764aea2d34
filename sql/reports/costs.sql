-- costs: What did each stage of the newest run cost, and was it built or taken from the store? Parameter: run_id.
select
    stage, kind, left(fingerprint, 8) as short_fingerprint, case when cache_hit then 'cached' else 'built' end as status,
    round(seconds, 1) as seconds, round(cpu_seconds, 1) as cpu_s, round(peak_bytes / 1e6) as peak_mb, rows,
    round(bytes / 1e6, 1) as mb
from stages
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by stage;
