-- The first tables. Every row belongs to a run, which is never changed. ../comments has the meaning of each column.
create table runs (
    run_id varchar primary key,
    run_at timestamptz not null,
    profile varchar not null,
    dataset varchar not null,
    protocol varchar not null,
    commit varchar
);
create table stages (
    run_id varchar not null,
    stage integer not null,
    kind varchar not null,
    fingerprint varchar not null,
    reused boolean not null,
    seconds double not null,
    cpu_seconds double not null,
    peak_bytes bigint not null,
    bytes bigint not null,
    rows bigint not null,
    primary key (run_id, stage)
);
create table lineage (
    run_id varchar not null,
    kind varchar not null,
    fingerprint varchar not null,
    parent_kind varchar not null,
    parent_fingerprint varchar not null
);
create table metrics (
    run_id varchar not null,
    predictor varchar not null,
    metric varchar not null,
    k integer,
    slice varchar not null,
    part varchar not null,
    value double not null,
    low double not null,
    high double not null,
    n bigint not null
);
create table comparisons (
    run_id varchar not null,
    predictor varchar not null,
    against varchar not null,
    metric varchar not null,
    k integer,
    slice varchar not null,
    part varchar not null,
    difference double not null,
    low double not null,
    high double not null,
    n bigint not null
);
create table rating_predictions (
    run_id varchar not null,
    predictor varchar not null,
    fold varchar not null,
    user_id integer not null,
    film_id integer not null,
    rating float not null,
    mean double not null,
    median double not null,
    mode double not null,
    within_half double not null,
    low double,
    high double,
    p_like double,
    probabilities float[]
);
create table lists (
    run_id varchar not null,
    predictor varchar not null,
    fold varchar not null,
    user_id integer not null,
    rank integer not null,
    film_id integer,
    title varchar,
    rating double,
    score double,
    failure varchar
);
create table quarantine (
    run_id varchar not null,
    relation varchar not null,
    source varchar not null,
    line uinteger not null,
    rule varchar not null,
    detail varchar
);
create table training (
    run_id varchar not null,
    step integer not null,
    examples bigint not null,
    tokens bigint not null,
    loss double not null,
    learning_rate double not null,
    validation_loss double,
    validation_rmse double
);
create table films (
    run_id varchar not null,
    film_id integer not null,
    title varchar not null,
    year smallint,
    genres varchar not null
);
