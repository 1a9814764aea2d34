-- Which adapter is in use, decision by decision.
create table champions (
    run_id varchar not null,
    decided_at timestamptz not null, -- when the decision was made
    adapter varchar not null,        -- fingerprint of the challenger
    champion varchar,                -- fingerprint of the adapter in use until then; null for the first
    promoted boolean not null,       -- whether the challenger took its place
    reason varchar not null          -- in one sentence, with the figures
);
