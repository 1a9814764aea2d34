-- Champions are kept by data set and recipe of the split. Runs of before have the protocol's name there until the next
-- publish reads the recipe of their split.
alter table runs add column split_recipe varchar;
update runs set split_recipe = protocol;
-- The runs whose data set and split serve, the newest in force: at first what served so far.
create table serving (
    set_at timestamptz not null,
    run_id varchar not null
);
insert into serving
select decided_at, run_id from champions where promoted order by decided_at desc limit 1;
