-- unseen: share of a list's k places that hold a film of the catalogue which the user had not rated before.
select predictor, user_id, k, count(film_id) filter (not was_seen) / k as value
from listed group by predictor, user_id, k;
