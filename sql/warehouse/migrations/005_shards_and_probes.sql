-- The file of each user's prompts.
create table shards (
    run_id varchar not null,
    fingerprint varchar not null,
    file varchar not null,
    first_user integer not null,
    last_user integer not null,
    examples bigint not null,
    primary key (run_id, fingerprint, file)
);
-- The error of the language model with perturbed contexts.
create table probes (
    run_id varchar not null,
    probe varchar not null,
    predictor varchar not null,
    n bigint not null,
    rmse double not null,
    difference double not null,
    low double not null,
    high double not null
);
