-- Where the prompts of a user lie: from a recommendation back to the file.
create table shards (
    run_id varchar not null,
    fingerprint varchar not null, -- of the prompts
    file varchar not null,        -- its name in their folder
    first_user integer not null,  -- whom it tells of
    last_user integer not null,   -- up to and with
    examples bigint not null,     -- rows of it
    primary key (run_id, fingerprint, file)
);
-- What becomes of the language model's error where its prompts are spoilt.
create table probes (
    run_id varchar not null,
    probe varchar not null,       -- what was spoilt; none: nothing
    predictor varchar not null,   -- whose error
    n bigint not null,            -- ratings
    rmse double not null,
    difference double not null,   -- to none, on the same ratings
    low double not null,          -- its 95 % interval, paired bootstrap over users
    high double not null
);
