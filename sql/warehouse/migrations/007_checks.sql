-- The checks of each decision about a champion.
create table checks (
    run_id varchar not null,
    checked varchar not null,
    part varchar not null,
    found double not null,
    allowed double not null,
    passed boolean not null
);
