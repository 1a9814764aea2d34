-- history_length: number of the user's known ratings.
select
    user_id,
    case when known_ratings < 20 then '1: under 20' when known_ratings < 50 then '2: 20 to 49'
         when known_ratings < 200 then '3: 50 to 199' else '4: 200 and more' end as slice_value
from users;
