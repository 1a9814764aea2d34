-- The settings that a run's artifacts were made with, and the versions of their code.
create table settings (
    run_id varchar not null,
    kind varchar not null,
    setting varchar not null,
    value varchar not null
);
