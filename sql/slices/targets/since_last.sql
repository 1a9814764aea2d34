-- since_last: time from the user's latest known rating to the one that was to be guessed.
select
    case when last_at is null then '0: no rating known' when rated_at - last_at < interval 1 hour then '1: under an hour'
         when rated_at - last_at < interval 1 day then '2: under a day'
         when rated_at - last_at < interval 30 day then '3: under 30 days' else '4: 30 days and more' end as part
from targets;
