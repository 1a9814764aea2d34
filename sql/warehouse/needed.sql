-- needed: the artifacts of the newest nights and of the nights of the champions in use, and the adapter of each
-- earlier champion. Variable: nights, how many of the newest.
select kind, fingerprint from stages
where run_id in (select run_id from runs order by run_at desc limit getvariable('nights'))
    or run_id in (select run_id from champion)
union
select 'adapter', adapter from champions where promoted;
