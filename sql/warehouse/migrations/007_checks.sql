-- What each decision about a champion stands on.
create table checks (
    run_id varchar not null,
    checked varchar not null,  -- rmse, ndcg, coverage, rmse by a slice, data
    part varchar not null,     -- everyone, a part of the slice, or the rule of the data
    found double not null,     -- what is lost; larger is worse
    allowed double not null,   -- the margin
    passed boolean not null    -- found is at most allowed
);
