-- history_length: how many ratings of the user were known.
select
    user_id,
    case when known < 20 then '1: under 20' when known < 50 then '2: 20 to 49'
         when known < 200 then '3: 50 to 199' else '4: 200 and more' end as slice_value
from users;
