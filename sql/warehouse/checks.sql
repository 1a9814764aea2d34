-- checks: what a challenger's served lists and ratings lose to the champion's and to those of the best champion so far,
-- with the margin as threshold: larger is worse. Of the half of the users that decides.
-- Over everyone all checks must hold, which needs no correction: each holds the chance of a wrong promotion. In slices
-- one failure rejects: there a loss counts where its p, adjusted by max-T within the slice and by Holm over the slices
-- and opponents, is below 0.05.
-- llm_value is what the served ratings and lists certainly lose by having the language model: it should not be there then.
-- Variables: comparisons and metrics, the Parquet files of that half; served_ratings, served_lists and llm, predictors;
-- the margins rmse, ndcg, llm_value, slice_rmse and coverage.
with compared as (
    select * from read_parquet(getvariable('comparisons'))
    where metric <> 'ndcg' or (
        k = (select max(k) from read_parquet(getvariable('comparisons')))
        -- rated where nobody liked a film
        and relevance = (select min(relevance) from read_parquet(getvariable('comparisons')) where metric = 'ndcg')
    )
),
differences as (
    select *, regexp_extract(against, '(champion|best)$') as opponent
    from compared
    where (metric = 'rmse' and predictor = getvariable('served_ratings')
            and against in (predictor || '_champion', predictor || '_best'))
        or (metric = 'ndcg' and predictor = getvariable('served_lists')
            and against in (predictor || '_champion', predictor || '_best'))
),
families as ( -- p_adjusted is of max-T within one
    select slice, opponent, min(p_adjusted) as p
    from differences where metric = 'rmse' and slice <> 'everyone' group by slice, opponent
),
steps as ( -- the smallest p is held against all families, the next against one less
    select *, count(*) over () - row_number() over (order by p, slice, opponent) + 1 as remaining from families
),
holm as (
    select *, max(p * remaining) over (order by p, slice, opponent) as least_p from steps
)
select 'rmse' || case opponent when 'best' then ' of the best' else '' end as check_name, 'everyone' as slice_value,
    ci95_high as value, getvariable('rmse') as threshold
from differences where metric = 'rmse' and slice = 'everyone'
union all
select 'ndcg' || case opponent when 'best' then ' of the best' else '' end, 'everyone', -ci95_low, getvariable('ndcg')
from differences where metric = 'ndcg' and slice = 'everyone'
union all
select 'llm_value ' || metric, 'everyone', case metric when 'rmse' then ci95_low else -ci95_high end,
    getvariable('llm_value')
from compared where starts_with(against, predictor || '_without_') and slice = 'everyone'
    and (metric, predictor) in (('rmse', getvariable('served_ratings')), ('ndcg', getvariable('served_lists')))
union all
select 'coverage', 'everyone', abs(value - 0.8), getvariable('coverage')
from read_parquet(getvariable('metrics'))
where predictor = getvariable('llm') and metric = 'coverage_80' and slice = 'everyone'
union all
select 'rmse by ' || slice || case opponent when 'best' then ' of the best' else '' end, slice_value,
    case when greatest(least_p, p_adjusted * remaining) < 0.05 then ci95_low else least(ci95_low, 0) end,
    getvariable('slice_rmse')
from differences join holm using (slice, opponent) where metric = 'rmse' and slice <> 'everyone';
