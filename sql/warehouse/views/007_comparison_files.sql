-- comparison_files: the differences between predictors, over everyone and by slice, from its files.
create or replace view comparison_files as
select
    n.run_id,
    cast(p.predictor as varchar) as predictor,
    cast(p.against as varchar) as against,
    cast(p.metric as varchar) as metric,
    cast(p.k as integer) as k,
    cast(p.slice as varchar) as slice,
    cast(p.slice_value as varchar) as slice_value,
    cast(p.difference as double) as difference,
    cast(p.ci95_low as double) as ci95_low,
    cast(p.ci95_high as double) as ci95_high,
    cast(p.n as bigint) as n,
    cast(p.p_adjusted as double) as p_adjusted,
    cast(p.relevance as varchar) as relevance
from read_parquet('artifacts/scores/[!.]*/comparisons.parquet', filename = true, union_by_name = true) as p
join present_files as f on f.opened_as = p.filename
join published_files as n on n.file = f.file and n.relation = 'comparison_files'
union all by name
from earlier_comparison_files;
