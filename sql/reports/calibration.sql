-- calibration: How often do films get 4 stars or more, by the probability that the language model gave? Parameter: run_id.
select
    least(floor(p_like * 10), 9) / 10 as from_probability, count(*) as n,
    round(avg(p_like), 3) as predicted, round(avg(cast(rating >= 4 as integer)), 3) as observed
from rating_predictions
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and predictor = 'llm' and fold = 'test' and p_like is not null
group by from_probability order by from_probability;
