-- metric_files: the metrics of each run, over everyone and by slice, from its files.
create or replace view metric_files as
select
    n.run_id,
    cast(p.predictor as varchar) as predictor,
    cast(p.metric as varchar) as metric,
    cast(p.k as integer) as k,
    cast(p.slice as varchar) as slice,
    cast(p.slice_value as varchar) as slice_value,
    cast(p.value as double) as value,
    cast(p.ci95_low as double) as ci95_low,
    cast(p.ci95_high as double) as ci95_high,
    cast(p.n as bigint) as n,
    cast(p.relevance as varchar) as relevance
from read_parquet('artifacts/scores/[!.]*/metrics.parquet', filename = true, union_by_name = true) as p
join present_files as f on f.opened_as = p.filename
join published_files as n on n.file = f.file and n.relation = 'metric_files'
union all by name
from earlier_metric_files;
