-- metrics: every metric over everyone, of all runs, and by slice, of those whose files are here.
create or replace view metrics as
select
    run_id, predictor, metric, k, 'everyone' as slice, 'all' as slice_value, value, ci95_low, ci95_high, n, relevance
from overall_metrics
union all by name
from metric_files where slice <> 'everyone';
