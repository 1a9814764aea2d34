-- costs: What did each stage of the newest run cost, and was it built or found? Parameter: run_id.
select
    stage, kind, fingerprint, reused, round(seconds, 1) as seconds, round(cpu_seconds, 1) as cpu_seconds,
    round(peak_bytes / 1e6) as peak_mb, rows, round(bytes / 1e6, 1) as mb
from stages
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by stage;
