-- mrr: one over the rank of the first relevant film; 0 where there is none.
select predictor, user_id, k, relevance, max(is_hit / rank) as value from judged
group by predictor, user_id, k, relevance;
