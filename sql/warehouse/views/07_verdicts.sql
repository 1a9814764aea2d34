-- verdicts: for each difference over everyone whether it is significant, and then who is better: its interval excludes 0
-- and its p-value, adjusted for all comparisons of the metric, is below 0.05. Runs of before have the interval only.
create or replace view verdicts as
select
    run_id, run_at, predictor, against, metric, k, relevance, difference, ci95_low, ci95_high, p_adjusted, n,
    case
        when ci95_low <= 0 and ci95_high >= 0 or p_adjusted >= 0.05 then 'inconclusive'
        when (difference < 0) = (metric in ('mae', 'mse', 'rmse', 'log_loss', 'ece', 'rps', 'pit_deviation', 'disliked')) then 'better'
        else 'worse'
    end as verdict
from overall_comparisons join runs using (run_id)
where metric not in
    ('mean_error', 'coverage_80', 'popular', 'novelty', 'popularity_lift', 'error_gap')
order by run_at desc, run_id, metric, k, relevance, predictor, against;
