-- map: mean over the films that the user then rated, at most k, of the precision at the rank where each is named.
select predictor, user_id, k, sum(is_hit * hits_so_far / rank) / least(k, any_value(relevant)) as value
from listed group by predictor, user_id, k;
