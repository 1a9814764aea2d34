-- gc_roots: the artifacts of the newest runs and of the runs of today's champions; of each earlier champion, which a
-- rollback may return to, the adapter and the ranked lists that `recommend` reads. Variable: runs, how many of the
-- newest, where a table of a second split does not count.
with newest as (
    select min(run_at) as since from (
        select run_at from runs
        where run_id in (select run_id from stages where kind = 'adapter' union select run_id from champions)
        order by run_at desc limit getvariable('runs'))
)
select kind, fingerprint from stages
where run_id in (select run_id from runs, newest where run_at >= since)
    or run_id in (select run_id from champion)
    or (kind = 'ranked-lists' and run_id in (select run_id from champions where promoted))
union
select 'adapter', adapter from champions where promoted
union
select 'served-lists', lists from (select lists from serves where refused is null order by served_at desc limit 2);
