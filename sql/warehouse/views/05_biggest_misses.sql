-- biggest_misses: the test ratings of the language model, the largest error first.
create or replace view biggest_misses as
select p.run_id, p.user_id, f.title, p.rating, p.mean, p.pi80_low, p.pi80_high, abs(p.mean - p.rating) as error
from rating_predictions as p join films as f using (run_id, film_id)
where p.predictor = 'llm' and p.fold = 'test'
order by error desc, p.run_id, p.user_id, p.film_id;
