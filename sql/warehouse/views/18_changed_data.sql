-- changed_data: rows that a run has and the other has not (gained), the reverse (lost), and that differ (moved): films by
-- title or genres, test ratings by stars. Of all ratings, and of each rule's rows in quarantine, the change in number.
create or replace view changed_data as
with pairs as (
    select a.run_id, b.run_id as with_run from runs as a join runs as b on a.run_id <> b.run_id
),
items as ( -- what a run has, by key, with what may differ
    select distinct run_id, 'test ratings' as what, hash(user_id, film_id) as id, cast(rating as varchar) as content
    from rating_predictions where fold = 'test'
    union all
    select run_id, 'films', hash(film_id), title || '|' || genres from films
),
counts as (
    select run_id, 'ratings' as what, any_value(rows) as n from stages where kind = 'split-ratings' group by run_id
    union all
    select run_id, 'quarantine: ' || rule, count(*) from quarantine group by all
),
kept as (
    select a.run_id, b.run_id as with_run, what, count(*) as shared, count(*) filter (a.content is distinct from b.content) as moved
    from items as a join items as b using (what, id)
    where a.run_id <> b.run_id
    group by all
),
sizes as (select run_id, what, count(*) as n from items group by all)
select p.run_id, p.with_run, a.what, a.n - coalesce(shared, 0) as gained, b.n - coalesce(shared, 0) as lost, coalesce(moved, 0) as moved
from pairs as p
join sizes as a using (run_id)
join sizes as b on b.run_id = p.with_run and b.what = a.what
left join kept as k on (k.run_id, k.with_run, k.what) = (p.run_id, p.with_run, a.what)
union all
select p.run_id, p.with_run, what, greatest(coalesce(a.n, 0) - coalesce(b.n, 0), 0),
    greatest(coalesce(b.n, 0) - coalesce(a.n, 0), 0), null
from pairs as p
cross join (select distinct what from counts)
left join counts as a using (run_id, what)
left join counts as b on b.run_id = p.with_run and b.what = what
where coalesce(a.n, b.n) is not null
order by all;
