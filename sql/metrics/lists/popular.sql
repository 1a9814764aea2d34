-- popular: share of a list's k places that hold a film of the most rated tenth.
select predictor, user_id, k, count(film_id) filter (popularity_decile = 10) / k as value
from listed group by predictor, user_id, k;
