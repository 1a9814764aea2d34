-- disliked: share of the named films which users then rated that got 2.5 stars or less (setting liked.disliked).
select predictor, user_id, k, count(stars) filter (was_disliked) as value, count(stars) as weight
from listed group by predictor, user_id, k;
