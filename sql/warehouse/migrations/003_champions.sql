-- Decisions about champions.
create table champions (
    run_id varchar not null,
    decided_at timestamptz not null,
    adapter varchar not null,
    champion varchar,
    promoted boolean not null,
    reason varchar not null
);
