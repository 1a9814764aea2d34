-- gc_roots: the artifacts of the newest runs and of the runs of today's champions; of each earlier champion, which a
-- rollback may return to, the adapter and the ranked lists that `recommend` reads. Variable: runs, how many of the
-- newest.
select kind, fingerprint from stages
where run_id in (select run_id from runs order by run_at desc limit getvariable('runs'))
    or run_id in (select run_id from champion)
    or (kind = 'ranked-lists' and run_id in (select run_id from champions where promoted))
union
select 'adapter', adapter from champions where promoted;
