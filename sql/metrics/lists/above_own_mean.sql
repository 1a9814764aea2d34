-- above_own_mean: share of lists whose films have a mean expected rating above the mean of the user's known ratings;
-- of the lists that give expected ratings, for users with known ratings.
select
    predictor, user_id, k, coalesce(cast(avg(expected) > any_value(own_mean) as integer), 0) as value,
    cast(avg(expected) is not null and any_value(own_mean) is not null as integer) as weight
from listed group by predictor, user_id, k;
