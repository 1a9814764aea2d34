-- leaderboard: every metric over everyone, the newest run first.
create or replace view leaderboard as
select run_id, run_at, dataset, protocol, predictor, metric, k, relevance, value, ci95_low, ci95_high, n
from overall_metrics join runs using (run_id)
order by run_at desc, run_id, metric, k, relevance, predictor;
