-- auc: share of all pairs of a liked film (4 stars or more) and another one, of any users, that p_like orders rightly;
-- equal ones count half. The mean where a predictor has no p_like. What is subtracted is 0 over everyone; over resampled
-- users it carries what they change about the films that were not liked (DeLong et al., 1988, Biometrics 44).
select
    user_id,
    sum(others_below) filter (rating >= 4) / 1000000 as value, count(*) filter (rating >= 4) as weight,
    sum(auc - liked_above) filter (rating < 4) / 1000000 as less_value, count(*) filter (rating < 4) as less_weight
from predicted_ratings join placements using (predictor, score)
group by user_id;
