-- What the half of the users that has no part in a decision says about it.
create table contests (
    run_id varchar not null,
    predictor varchar not null,
    against varchar not null,
    metric varchar not null,
    k integer,
    relevance varchar,
    difference double not null,
    ci95_low double not null,
    ci95_high double not null,
    n bigint not null
);
