-- latest: the leaderboard of the newest run of each dataset and protocol.
create or replace view latest as
select run_id, run_at, dataset, protocol, predictor, metric, k, relevance, value, ci95_low, ci95_high, n
from overall_metrics
join (from runs qualify run_at = max(run_at) over (partition by dataset, protocol)) using (run_id)
order by run_at desc, run_id, metric, k, relevance, predictor;
