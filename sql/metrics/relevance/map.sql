-- map: mean over the relevant films, at most k, of the precision at the rank where each is named.
select predictor, user_id, k, relevance, sum(is_hit * hits_so_far / rank) / least(k, any_value(relevant)) as value
from judged group by predictor, user_id, k, relevance;
