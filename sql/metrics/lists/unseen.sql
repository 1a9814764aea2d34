-- unseen: share of a list's k places that hold an existing film which the user had not rated before.
select predictor, user_id, k, sum(cast(film_id is not null and not was_seen as integer)) / k as value, 1.0 as power
from listed group by predictor, user_id, k;
