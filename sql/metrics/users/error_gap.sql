-- error_gap: mean absolute error, in stars, of the third of the users with the fewest known ratings, less that of the
-- third with the most; positive where newcomers are served worse. Errors are summed in whole millionths.
select
    user_id,
    sum(error) filter (activity <= 1 / 3) / 1000000 as value, count(*) filter (activity <= 1 / 3) as weight,
    sum(error) filter (activity >= 2 / 3) / 1000000 as less_value, count(*) filter (activity >= 2 / 3) as less_weight
from (select user_id, cast(round(abs(median - rating) * 1000000) as bigint) as error from predicted_ratings)
join users using (user_id)
group by user_id;
