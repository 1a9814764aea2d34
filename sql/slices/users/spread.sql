-- spread: standard deviation of the user's known ratings, in stars; 0 with a single rating.
select
    user_id,
    case when rating_deviation < 0.75 then '1: under 0.75' when rating_deviation < 1.0 then '2: 0.75 to 0.99'
         when rating_deviation < 1.25 then '3: 1.00 to 1.24' else '4: 1.25 and more' end as slice_value
from users;
