-- verdicts: for each difference over everyone whether its interval excludes 0, and then who is better.
create or replace view verdicts as
select
    run_id, run_at, predictor, against, metric, k, difference, ci95_low, ci95_high, n,
    case
        when ci95_low <= 0 and ci95_high >= 0 then 'inconclusive'
        when (difference < 0) = (metric in ('mae', 'mse', 'rmse', 'log_loss', 'ece', 'rps', 'pit_deviation')) then 'better'
        else 'worse'
    end as verdict
from comparisons join runs using (run_id)
where slice = 'everyone' and metric not in
    ('mean_error', 'coverage_80', 'popular', 'novelty', 'popularity_lift', 'error_gap')
order by run_at desc, run_id, metric, k, predictor, against;
