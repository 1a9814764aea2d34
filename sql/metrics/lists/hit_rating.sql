-- hit_rating: mean rating, in stars, that users then gave to the named films which they rated.
select predictor, user_id, k, coalesce(sum(stars), 0) as value, count(stars) as weight
from listed group by predictor, user_id, k;
