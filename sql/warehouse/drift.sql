-- drift: how far a night's ratings are from those that the champion has learnt from: larger is worse.
-- Variables: ratings and learnt, their Parquet files, and the margins shift and volume.
with ratings as (from read_parquet(getvariable('ratings'))),
learnt as (from read_parquet(getvariable('learnt'))),
stars as (
    select abs(coalesce(r.share, 0) - coalesce(l.share, 0)) as moved
    from (select rating, count(*) / sum(count(*)) over () as share from ratings group by rating) as r
    full join (select rating, count(*) / sum(count(*)) over () as share from learnt group by rating) as l
        using (rating)
),
days as (
    select day, coalesce(r.n, 0) - coalesce(l.n, 0) as gained, l.n as had
    from (select cast(rated_at as date) as day, count(*) as n from ratings group by day) as r
    full join (select cast(rated_at as date) as day, count(*) as n from learnt group by day) as l
        using (day)
)
select 'data' as check_name, 'fewer' as slice_value, -- share of the ratings that has gone
    greatest(0, coalesce(1 - (select count(*) from ratings) / nullif((select count(*) from learnt), 0), 0)) as value,
    0 as threshold
union all
select 'data', 'shift', coalesce(sum(moved), 0) / 2, getvariable('shift') -- share that is of other stars
from stars
union all
select 'data', 'volume', -- what one day has gained, beside a usual one of the last four weeks that were known
    coalesce(max(gained) / avg(had) filter (day > (select max(day) - 28 from days where had > 0)), 0),
    getvariable('volume')
from days;
