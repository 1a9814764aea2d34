-- forecast: How long were the long stages expected to take, and how long did they? Parameter: run_id.
select
    stage, round(forecast_seconds) as forecast_seconds, round(seconds) as seconds,
    round(forecast_peak_bytes / 1e9, 1) as forecast_gb, round(peak_bytes / 1e9, 1) as gb
from forecast_costs
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
order by forecast_seconds desc;
