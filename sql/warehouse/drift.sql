-- drift: how far a run's ratings are from those that the champion was trained on: larger is worse.
-- Variables: ratings and champions_ratings, their Parquet files, and the margins missing, shift and volume.
with ratings as (from read_parquet(getvariable('ratings'))),
champions as (from read_parquet(getvariable('champions_ratings'))),
stars as (
    select abs(coalesce(r.share, 0) - coalesce(c.share, 0)) as moved
    from (select rating, count(*) / sum(count(*)) over () as share from ratings group by rating) as r
    full join (select rating, count(*) / sum(count(*)) over () as share from champions group by rating) as c
        using (rating)
),
days as (
    select day, coalesce(r.n, 0) - coalesce(c.n, 0) as gained, c.n as before
    from (select cast(rated_at as date) as day, count(*) as n from ratings group by day) as r
    full join (select cast(rated_at as date) as day, count(*) as n from champions group by day) as c
        using (day)
)
select 'data' as check_name, 'missing' as slice_value, -- share of the champion's ratings whose user and film have none
    coalesce(count(*) / nullif((select count(*) from champions), 0), 0) as value, getvariable('missing') as threshold
from champions anti join ratings using (user_id, film_id)
union all
select 'data', 'shift', coalesce(sum(moved), 0) / 2, getvariable('shift') -- share with other stars (total variation)
from stars
union all
select 'data', 'volume', -- the most that a day gained, in multiples of a usual day of the champion's last four weeks
    coalesce(max(gained) / avg(before) filter (day > (select max(day) - 28 from days where before > 0)), 0),
    getvariable('volume')
from days;
