-- trend: each metric of each predictor from run to run of the same data and split, and whether the run's adapter was
-- promoted. The day of a run on past data is the day that these end before.
create or replace view trend as
select
    dataset, protocol, split_recipe, predictor, metric, k, relevance, day, run_at, run_id, value, ci95_low, ci95_high,
    value - lag(value) over (
        partition by dataset, split_recipe, predictor, metric, k, relevance order by day, run_at) as change,
    promoted, reason
from leaderboard
join (select run_id, split_recipe, coalesce(as_of, cast(run_at as date)) as day from runs) using (run_id)
left join (
    select run_id, arg_min(promoted, decided_at) as promoted, arg_min(reason, decided_at) as reason
    from champions group by run_id
) using (run_id)
order by dataset, protocol, split_recipe, predictor, metric, k, relevance, day, run_at;
