-- hit: share of lists that name at least one film which the user then rated.
select predictor, user_id, k, max(is_hit) as value from listed group by predictor, user_id, k;
