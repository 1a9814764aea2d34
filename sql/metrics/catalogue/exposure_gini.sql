-- exposure_gini: Gini coefficient of the films' exposure, 1 / log2(rank + 1) for each place of a list that names the
-- film; 0 where all films of the catalogue are exposed alike, near 1 where few films have it all
-- (Diaz et al., 2020, Evaluating Stochastic Rankings with Expected Exposure). Exposure is summed in whole millionths.
with named as (
    select predictor, k, film_id, sum(cast(round(1000000 / log2(rank + 1)) as bigint)) as exposure
    from listed where film_id is not null group by predictor, k, film_id
),
placed as (
    select p.predictor, p.k, p.n, coalesce(exposure, 0) as exposure, count(*) over of_list as films,
        row_number() over (of_list order by coalesce(exposure, 0), f.film_id) as place
    from (select predictor, k, count(distinct user_id) as n from listed group by predictor, k) as p
    cross join films as f
    left join named as e on e.predictor = p.predictor and e.k = p.k and e.film_id = f.film_id
    window of_list as (partition by p.predictor, p.k)
)
select
    predictor, k, any_value(n) as n,
    coalesce(sum((2 * place - films - 1) * exposure) / nullif(any_value(films) * sum(exposure), 0), 0) as value
from placed
group by predictor, k;
