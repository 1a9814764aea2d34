-- Runs whose rejected adapter somebody was told of: what is not there is told with the next run.
create table told (
    run_id varchar primary key,
    told_at timestamptz not null
);
insert into told select distinct run_id, now() from champions;
