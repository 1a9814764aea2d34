-- rating_predictions: the ratings that each run predicted, from its files.
create or replace view rating_predictions as
select
    n.run_id,
    cast(p.predictor as varchar) as predictor,
    cast(p.fold as varchar) as fold,
    cast(p.user_id as integer) as user_id,
    cast(p.film_id as integer) as film_id,
    cast(p.rating as float) as rating,
    cast(p.mean as double) as mean,
    cast(p.median as double) as median,
    cast(p.mode as double) as mode,
    cast(p.within_half as double) as within_half,
    cast(p.pi80_low as double) as pi80_low,
    cast(p.pi80_high as double) as pi80_high,
    cast(p.p_like as double) as p_like,
    cast(p.probabilities as float[]) as probabilities
from read_parquet('artifacts/rating-predictions/[!.]*/ratings*.parquet', filename = true, union_by_name = true) as p
join present_files as f on f.opened_as = p.filename
join published_files as n on n.file = f.file and n.relation = 'rating_predictions'
union all by name
from earlier_rating_predictions;
