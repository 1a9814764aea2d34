-- complete: share of lists whose k places hold k different unseen films of the catalogue.
select predictor, user_id, k, cast(count(distinct film_id) filter (not was_seen) = k as integer) as value
from listed group by predictor, user_id, k;
