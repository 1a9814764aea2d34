-- protocols: What does each predictor score under each protocol of the same data? Parameters: metric (rmse), relevance (liked).
-- Figures of different protocols cannot be compared: their test ratings differ. Under `legacy` these are each user's
-- highest ratings, which vary so little that any mean comes close; under `leave-last` they are each user's latest.
pivot (
    select dataset, predictor, protocol, round(value, 4) as value
    from latest
    where metric = coalesce(getvariable('metric'), 'rmse') and coalesce(k, 10) = 10
        and coalesce(relevance, '') in ('', coalesce(getvariable('relevance'), 'liked'))
)
on protocol using any_value(value) group by dataset, predictor
order by dataset, predictor;
