-- hit: share of lists that name at least one relevant film.
select predictor, user_id, k, relevance, max(is_hit) as value from judged group by predictor, user_id, k, relevance;
