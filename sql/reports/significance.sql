-- significance: Which differences between predictors are significant, adjusted for many comparisons? Parameters: run_id, predictor (llm).
select metric, k, relevance, against, round(difference, 4) as difference, round(ci95_low, 4) as ci95_low, round(ci95_high, 4) as ci95_high,
    round(p_adjusted, 4) as p_adjusted, verdict
from verdicts
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and predictor = coalesce(getvariable('predictor'), 'llm')
order by metric, k nulls first, relevance nulls first, difference;
