-- trend: how each metric of each predictor moved from run to run of the same data and protocol.
create or replace view trend as
select
    dataset, protocol, predictor, metric, k, run_at, run_id, value, low, high,
    value - lag(value) over (partition by dataset, protocol, predictor, metric, k order by run_at) as change
from leaderboard
order by dataset, protocol, predictor, metric, k, run_at;
