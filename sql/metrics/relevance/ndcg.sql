-- ndcg: discounted cumulative gain over that of the best possible list; each relevant film counts 1
-- (Jarvelin and Kekalainen, 2002, ACM TOIS 20(4), with binary gain and discount 1 / log2(rank + 1)).
select
    predictor, user_id, k, relevance,
    sum(is_hit / log2(rank + 1))
    / list_sum([1 / log2(place + 1) for place in range(1, 1 + least(k, any_value(relevant)))]) as value
from judged group by predictor, user_id, k, relevance;
