-- changed_metrics: each metric of a predictor in two runs, over everyone and by slice. Over everyone, the `difference` of
-- RMSE and of NDCG by rated films has a 95 % interval: it is that over the `n` test ratings, or users, that both runs have,
-- paired, with users as clusters (delta method). Other differences are those of the two values.
create or replace view changed_metrics as
with targets as (
    select distinct run_id, user_id, film_id from rating_predictions where fold = 'test'
),
squares as ( -- of the errors, by user
    select a.run_id, b.run_id as with_run, predictor, user_id, count(*) as n,
        sum((a.mean - rating) ** 2) as s, sum((b.mean - rating) ** 2) as with_s
    from rating_predictions as a join rating_predictions as b using (predictor, fold, user_id, film_id, rating)
    where fold = 'test' and a.run_id <> b.run_id
    group by all
),
roots as (
    select run_id, with_run, predictor, sum(n) as total, sqrt(sum(s) / total) as rmse, sqrt(sum(with_s) / total) as with_rmse
    from squares group by all
),
entries as ( -- a film that a list names twice is a hit once
    select run_id, predictor, user_id, film_id, min(rank) as place from lists
    where fold = 'test' and rank <= 10 group by all
),
gains as ( -- as sql/metrics/relevance/ndcg.sql
    select e.run_id, e.predictor, e.user_id,
        coalesce(sum(1 / log2(place + 1)) filter (t.film_id is not null), 0)
        / list_sum([1 / log2(i + 1) for i in range(1, 1 + least(10, any_value(relevant)))]) as ndcg
    from entries as e
    join (select run_id, user_id, count(*) as relevant from targets group by all) using (run_id, user_id)
    left join targets as t using (run_id, user_id, film_id)
    group by all
),
paired as (
    select run_id, with_run, predictor, 'rmse' as metric, null as k, null as relevance,
        any_value(rmse - with_rmse) as difference, any_value(total) as n,
        1.96 * sqrt(sum(
            ((s - rmse ** 2 * squares.n) / (2 * nullif(rmse, 0))
            - (with_s - with_rmse ** 2 * squares.n) / (2 * nullif(with_rmse, 0))) ** 2)) / any_value(total) as half
    from squares join roots using (run_id, with_run, predictor)
    group by all
    union all
    select a.run_id, b.run_id, predictor, 'ndcg', 10, 'rated',
        avg(a.ndcg - b.ndcg), count(*), 1.96 * stddev_samp(a.ndcg - b.ndcg) / sqrt(count(*))
    from gains as a join gains as b using (predictor, user_id)
    where a.run_id <> b.run_id
    group by all
)
select
    a.run_id, b.run_id as with_run, a.predictor, a.metric, a.k, a.relevance, a.slice, a.slice_value,
    a.value, b.value as with_value, coalesce(p.difference, a.value - b.value) as difference,
    p.difference - p.half as ci95_low, p.difference + p.half as ci95_high, coalesce(p.n, a.n) as n
from metrics as a
join metrics as b on a.run_id <> b.run_id and (a.predictor, a.metric, a.slice, a.slice_value)
    = (b.predictor, b.metric, b.slice, b.slice_value)
    and a.k is not distinct from b.k and a.relevance is not distinct from b.relevance
left join paired as p on p.run_id = a.run_id and p.with_run = b.run_id and p.predictor = a.predictor
    and p.metric = a.metric and p.k is not distinct from a.k and p.relevance is not distinct from a.relevance
    and a.slice = 'everyone'
order by a.run_id, with_run, a.metric, a.k, a.relevance, a.predictor, a.slice, a.slice_value;
