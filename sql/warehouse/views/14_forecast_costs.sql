-- forecast_costs: what each long stage of the language model was expected to take, and what it took. Stages that were
-- found in the store have taken nothing. Earlier versions had stages of their own for the candidates.
create or replace view forecast_costs as
with expected as (
    select
        run_id, case stage when 'validate in training' then 'train adapter' else stage end as stage,
        sum(seconds) as forecast_seconds, max(peak_bytes) as forecast_peak_bytes
    from forecasts group by all
),
made as (
    select
        s.run_id, s.stage as place, any_value(s.seconds) as seconds, any_value(s.peak_bytes) as peak_bytes,
        case
            when s.kind = 'adapter' then 'train adapter'
            when s.kind = 'readings' and bool_or(l.parent_kind = 'prompts') then 'read prompts'
            when s.kind = 'readings' and bool_or(l.parent_kind = 'candidate-prompts') then 'read prompts, everyone'
            when s.kind = 'candidate-scores' then 'score candidates'
            when s.kind = 'ranked-lists' then 'decode lists'
            when bool_or(l.parent_kind = 'candidate-prompts') then 'predict candidates'
            when bool_or(l.parent_kind = 'prompts') then 'predict'
        end || case
            when s.kind = 'adapter' or bool_or(l.parent_fingerprint = p.adapter) then ''
            when s.kind = 'readings' and not bool_or(l.parent_kind = 'prompts') then '' -- the champion serves
            else ', opponents'
        end as stage
    from stages as s
    join lineage as l using (run_id, kind, fingerprint)
    join provenance as p using (run_id)
    where not s.cache_hit
    group by s.run_id, s.stage, s.kind
    having s.kind = 'adapter' or bool_or(l.parent_kind = 'adapter')
)
select
    run_id, stage, any_value(forecast_seconds) as forecast_seconds, sum(m.seconds) as seconds,
    any_value(forecast_peak_bytes) as forecast_peak_bytes, max(m.peak_bytes) as peak_bytes
from expected left join made as m using (run_id, stage)
group by run_id, stage
order by run_id, forecast_seconds desc;
