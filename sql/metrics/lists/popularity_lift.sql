-- popularity_lift: mean number of known ratings of a list's films over that of the films that the user has rated, less
-- 1; positive where lists are more popular than the user's taste. A list without any film counts 0
-- (Abdollahpouri et al., 2020, The Connection between Popularity Bias, Calibration, and Fairness).
select predictor, user_id, k, coalesce(avg(popularity) / any_value(profile_popularity) - 1, 0) as value
from listed group by predictor, user_id, k;
