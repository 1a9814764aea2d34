-- recall: share of the films that the user then rated which are in the list.
select predictor, user_id, k, sum(is_hit) / any_value(relevant) as value from listed group by predictor, user_id, k;
