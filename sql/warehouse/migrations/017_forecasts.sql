-- What the long stages of a run were expected to take, on its machine, before training began.
create table forecasts (
    run_id varchar not null,
    stage varchar not null,
    examples bigint not null,
    tokens_each double not null,
    seconds_each double not null,
    seconds double not null,
    peak_bytes bigint not null,
    settings varchar not null
);
