-- Rows of the data that a pretrained base completes word for word.
create table recalled (
    run_id varchar not null,
    kind varchar not null,
    n bigint not null,
    recalled bigint not null,
    share double not null,
    low double not null,
    high double not null
);
