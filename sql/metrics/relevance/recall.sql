-- recall: share of the relevant films which are in the list.
select predictor, user_id, k, relevance, sum(is_hit) / any_value(relevant) as value
from judged group by predictor, user_id, k, relevance;
