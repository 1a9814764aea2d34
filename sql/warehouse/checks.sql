-- checks: what a challenger loses to the champion, with the margin as threshold: larger is worse.
-- Variables: run_id, and the margins rmse, ndcg, slice_rmse and coverage.
with differences as (
    select * from comparisons
    where run_id = getvariable('run_id') and predictor = 'llm' and against = 'champion'
)
select 'rmse' as check_name, 'everyone' as slice_value, ci95_high as value, getvariable('rmse') as threshold
from differences where metric = 'rmse' and slice = 'everyone'
union all
select 'ndcg', 'everyone', -ci95_low, getvariable('ndcg')
from differences where metric = 'ndcg' and slice = 'everyone'
    and k = (select max(k) from differences)
    and relevance = (select min(relevance) from differences where metric = 'ndcg') -- rated where nobody liked a film
union all
select 'coverage', 'everyone', abs(value - 0.8), getvariable('coverage')
from metrics
where run_id = getvariable('run_id') and predictor = 'llm' and metric = 'coverage_80'
    and slice = 'everyone'
union all
select 'rmse by ' || slice, slice_value, ci95_low, getvariable('slice_rmse')
from differences where metric = 'rmse' and slice <> 'everyone';
