-- protocols: What does each predictor reach under each protocol of the same data? Parameter: metric (rmse).
-- They differ as the films do that are asked: under `legacy` each user's best rated ones alone, whose
-- ratings hardly differ, so that any mean comes close; under `leave-last` whatever was rated last.
pivot (
    select dataset, predictor, protocol, round(value, 4) as value
    from latest
    where metric = coalesce(getvariable('metric'), 'rmse') and coalesce(k, 10) = 10
)
on protocol using any_value(value) group by dataset, predictor
order by dataset, predictor;
