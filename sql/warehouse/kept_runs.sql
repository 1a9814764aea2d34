-- kept_runs: the runs that gc keeps whole: the newest, where a table of a second split does not count, and those of
-- today's champions. Variable: runs, how many of the newest.
with newest as (
    select min(run_at) as since from (
        select run_at from runs
        where run_id in (select run_id from stages where kind = 'adapter' union select run_id from champions)
        order by run_at desc limit getvariable('runs'))
)
select run_id from runs, newest where run_at >= since
union
select run_id from champion;
