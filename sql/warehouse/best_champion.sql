-- best_champion: of the champions of a data set and split, since a person last put one back, that with the largest sum
-- of gains in NDCG of the served lists over the champion before; of equal ones the newest.
-- Variables: dataset, split_recipe, served_lists.
with chain as (
    select c.adapter, c.decided_at, c.run_id, c.reason = 'put back by hand' as by_hand
    from champions as c join runs using (run_id)
    where c.promoted and dataset = getvariable('dataset') and split_recipe = getvariable('split_recipe')
),
gains as (
    select run_id, difference as gain from overall_comparisons
    where predictor = getvariable('served_lists') and against = predictor || '_champion' and metric = 'ndcg'
    qualify row_number() over (partition by run_id order by k desc, relevance) = 1
),
totals as (
    select adapter, decided_at, sum(coalesce(gain, 0)) over (order by decided_at) as total
    from chain left join gains using (run_id)
    where decided_at >= coalesce((select max(decided_at) from chain where by_hand), timestamptz '-infinity')
)
select adapter from totals order by total desc, decided_at desc limit 1;
