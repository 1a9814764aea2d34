-- since_last: time from the user's latest known rating to the target.
select
    user_id, film_id,
    case when hours is null then '0: no rating known' when hours < 1 then '1: under an hour'
         when hours < 24 then '2: under a day' when hours < 24 * 30 then '3: under 30 days' else '4: 30 days and more' end
    as slice_value
from (
    select user_id, film_id, (epoch_us(rated_at) - epoch_us(last_rated_at)) / 3600e6 as hours
    from targets
);
