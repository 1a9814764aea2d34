-- The lists of each night: served, or refused by a guard rail.
create table serves (
    served_at timestamptz not null,
    lists varchar not null,
    champion varchar not null,
    data varchar not null,
    dataset varchar not null,
    refused varchar,
    users integer not null,
    full_share double not null,
    films integer not null,
    coverage double not null,
    exposure_gini double not null,
    popularity_lift double not null,
    max_film_share double not null,
    overlap double,
    changed integer,
    primary key (served_at, lists)
);
