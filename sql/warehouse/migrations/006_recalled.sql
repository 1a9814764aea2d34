-- How much of the data a pretrained base knows by heart.
create table recalled (
    run_id varchar not null,
    kind varchar not null,        -- of row: film or rating
    n bigint not null,            -- rows asked for
    recalled bigint not null,     -- rows that it ended as they are
    share double not null,
    low double not null,          -- its 95 % interval, by Wilson
    high double not null
);
