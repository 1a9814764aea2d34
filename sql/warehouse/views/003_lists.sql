-- lists: the lists of each run, from its files.
create or replace view lists as
select
    n.run_id,
    cast(p.predictor as varchar) as predictor,
    cast(p.fold as varchar) as fold,
    cast(p.user_id as integer) as user_id,
    cast(p.rank as integer) as rank,
    cast(p.film_id as integer) as film_id,
    cast(p.title as varchar) as title,
    cast(p.rating as double) as rating,
    cast(p.score as double) as score,
    cast(p.error as varchar) as error
from read_parquet('artifacts/ranked-lists/[!.]*/lists*.parquet', filename = true, union_by_name = true) as p
join present_files as f on f.opened_as = p.filename
join published_files as n on n.file = f.file and n.relation = 'lists'
union all by name
from earlier_lists;
