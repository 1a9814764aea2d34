-- gc_roots: the artifacts of the newest runs and of the runs of today's champions, and the adapter of each earlier
-- champion. Variable: runs, how many of the newest.
select kind, fingerprint from stages
where run_id in (select run_id from runs order by run_at desc limit getvariable('runs'))
    or run_id in (select run_id from champion)
union
select 'adapter', adapter from champions where promoted;
