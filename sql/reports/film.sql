-- film: Which ratings did the language model predict for a film, and which were given? Parameters: title (a part of it), run_id.
select title, user_id, rating, round(mean, 2) as expected, round(pi80_low, 1) as pi80_low, round(pi80_high, 1) as pi80_high
from rating_predictions as p join films using (run_id, film_id)
where run_id = coalesce(getvariable('run_id'), (select arg_max(run_id, run_at) from runs))
    and predictor = 'llm' and fold = 'test'
    and contains(lower(title), lower(coalesce(getvariable('title'), 'star wars')))
order by title, user_id;
