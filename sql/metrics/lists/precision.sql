-- precision: share of a list's k places that hold a film which the user then rated.
select predictor, user_id, k, sum(is_hit) / k as value from listed group by predictor, user_id, k;
