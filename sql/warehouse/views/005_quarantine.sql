-- quarantine: the source rows of each run that broke a rule, from its files.
create or replace view quarantine as
select
    n.run_id,
    cast(p.relation as varchar) as relation,
    cast(p.source as varchar) as source,
    cast(p.line as uinteger) as line,
    cast(p.rule as varchar) as rule,
    cast(p.detail as varchar) as detail
from read_parquet('data/validated-ratings/[!.]*/quarantine.parquet', filename = true, union_by_name = true) as p
join present_files as f on f.opened_as = p.filename
join published_files as n on n.file = f.file and n.relation = 'quarantine'
union all by name
from earlier_quarantine;
