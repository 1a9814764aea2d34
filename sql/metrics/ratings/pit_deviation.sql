-- pit_deviation: how far the histogram of the randomised probability integral transform is from flat: the sum over ten
-- bins of |share - 0.1|; a calibrated distribution gives 0 but for chance, which adds about 2.4 / sqrt(ratings)
-- (Czado, Gneiting and Held, 2009, Predictive Model Assessment for Count Data, Biometrics 65).
select
    user_id, film_id, case when cumulative is not null then 1 end as value, 0.1 as expected,
    least(floor(10 * (below + uniform * (up_to - below))), 9) as bin
from (
    select user_id, film_id, cumulative, uniform, cumulative[place] as up_to, coalesce(cumulative[place - 1], 0) as below
    from (select *, list_position((select scale from ratings_scale), rating) as place from predicted_ratings)
);
