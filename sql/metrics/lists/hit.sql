-- hit: share of lists that name at least one film which the user then rated.
select predictor, user_id, k, cast(max(is_hit) as double) as value, 1.0 as power
from listed group by predictor, user_id, k;
