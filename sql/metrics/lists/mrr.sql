-- mrr: one over the rank of the first film which the user then rated; 0 where there is none.
select predictor, user_id, k, max(is_hit / rank) as value from listed group by predictor, user_id, k;
