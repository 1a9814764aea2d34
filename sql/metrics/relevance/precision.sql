-- precision: share of a list's k places that hold a relevant film.
select predictor, user_id, k, relevance, sum(is_hit) / k as value from judged group by predictor, user_id, k, relevance;
