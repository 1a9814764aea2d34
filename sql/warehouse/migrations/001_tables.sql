-- The tables of the metric file. Every row belongs to a run; a run is never changed.
create table runs (
    run_id varchar primary key,   -- fingerprint of the scores: the same night has the same id
    run_at timestamptz not null,  -- when it was first published
    profile varchar not null,     -- settings that it ran with
    dataset varchar not null,     -- what was learnt from
    protocol varchar not null,    -- how it was split
    commit varchar                -- of the project; null outside of a git checkout
);
create table stages (
    run_id varchar not null,
    stage integer not null,       -- place in the night, from 1
    kind varchar not null,        -- which artifact
    fingerprint varchar not null, -- which one
    reused boolean not null,      -- found, not built, by the run that published
    seconds double not null,      -- wall time of building it
    cpu_seconds double not null,  -- of all threads
    peak_bytes bigint not null,   -- of the process while building it
    bytes bigint not null,        -- on disk
    rows bigint not null,         -- of all its tables
    primary key (run_id, stage)
);
create table lineage (
    run_id varchar not null,
    kind varchar not null,        -- which artifact
    fingerprint varchar not null, -- which one
    parent_kind varchar not null, -- what it was made from
    parent_fingerprint varchar not null -- which one
);
create table metrics (
    run_id varchar not null,
    predictor varchar not null,
    metric varchar not null,      -- a file of sql/metrics
    k integer,                    -- length of the lists; null for metrics of ratings
    slice varchar not null,       -- a file of sql/slices
    part varchar not null,        -- which part of that slice
    value double not null,
    low double not null,          -- 95 % interval, bootstrap over users; null for what is no mean over users
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
    difference double not null,   -- predictor less against
    low double not null,          -- 95 % interval, paired bootstrap over users
    high double not null,
    n bigint not null
);
create table rating_predictions (
    run_id varchar not null,
    predictor varchar not null,
    fold varchar not null,
    user_id integer not null,
    film_id integer not null,
    rating float not null,        -- the true one
    mean double not null,
    median double not null,
    mode double not null,
    within_half double not null,
    low double,                   -- 80 % interval
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
