-- films: the catalogue of each run, from its files.
create or replace view films as
select
    n.run_id,
    cast(p.film_id as integer) as film_id,
    cast(p.title as varchar) as title,
    cast(p.year as smallint) as year,
    cast(p.genres as varchar) as genres
from read_parquet('data/validated-ratings/[!.]*/films.parquet', filename = true, union_by_name = true) as p
join present_files as f on f.opened_as = p.filename
join published_files as n on n.file = f.file and n.relation = 'films'
union all by name
from earlier_films;
