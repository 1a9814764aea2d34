-- compare: What differs between two runs: settings, metrics, slices, costs, data? Parameters: run (the newest), with (the run before on the same data and split), both by the beginning of their ids.
with chosen as (
    select run_id, run_at, dataset, split_recipe from runs
    where starts_with(run_id, coalesce(getvariable('run'), (select arg_max(run_id, run_at) from runs)))
    order by run_at desc limit 1
),
pair as (
    select c.run_id, coalesce(
        (select arg_max(run_id, run_at) from runs where starts_with(run_id, getvariable('with'))),
        (select arg_max(r.run_id, r.run_at) from runs as r
            where r.dataset = c.dataset and r.split_recipe = c.split_recipe and r.run_at < c.run_at)) as with_run
    from chosen as c
),
own as (select unnest(['llm', 'llm_head', 'blend', 'ranked']) as predictor)
select part, item, this, other, round(difference, 4) as difference, round(ci95_low, 4) as ci95_low,
    round(ci95_high, 4) as ci95_high, n
from (
    select 0 as place, 'run' as part, 'run' as item, run_id as this, with_run as other, null as difference, null as ci95_low,
        null as ci95_high, null as n, 0 as size
    from pair
    union all
    select 1, 'settings', kind || '.' || setting, value, with_value, null, null, null, null, 0
    from changed_settings semi join pair using (run_id, with_run)
    union all
    select 2, 'metrics', concat_ws(' ', predictor, metric || coalesce('@' || k, ''), relevance), format('{:.4f}', value),
        format('{:.4f}', with_value), difference, ci95_low, ci95_high, n, 0
    from changed_metrics semi join pair using (run_id, with_run) semi join own using (predictor)
    where slice = 'everyone' and metric in ('rmse', 'mae', 'within_half', 'ndcg', 'recall') and coalesce(k, 10) = 10
    union all
    select 3, 'slices', concat_ws(' ', predictor, metric, slice, slice_value), format('{:.4f}', value),
        format('{:.4f}', with_value), difference, null, null, n, abs(difference)
    from changed_metrics semi join pair using (run_id, with_run)
    where slice <> 'everyone' and metric = 'rmse' and predictor = 'blend'
    qualify row_number() over (order by abs(difference) desc, slice, slice_value) <= 10
    union all
    select 4, 'seconds', kind, format('{:.1f}', seconds), format('{:.1f}', with_seconds), seconds - with_seconds, null, null,
        built, abs(seconds - with_seconds)
    from changed_costs semi join pair using (run_id, with_run)
    qualify row_number() over (order by abs(seconds - with_seconds) desc, kind) <= 10
    union all
    select 5, 'data', what, '+' || gained, '-' || lost, null, null, null, moved, 0
    from changed_data semi join pair using (run_id, with_run)
    where gained > 0 or lost > 0 or moved > 0
)
order by place, size desc, item;
