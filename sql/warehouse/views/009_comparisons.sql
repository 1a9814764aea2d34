-- comparisons: every difference over everyone, of all runs, and by slice, of those whose files are here.
create or replace view comparisons as
select
    run_id, predictor, against, metric, k, 'everyone' as slice, 'all' as slice_value, difference, ci95_low, ci95_high, n,
    p_adjusted, relevance
from overall_comparisons
union all by name
from comparison_files where slice <> 'everyone';
