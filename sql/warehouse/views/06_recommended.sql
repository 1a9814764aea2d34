-- recommended: each list of the test fold, with whether the user then rated the film, and how.
create or replace view recommended as
select l.run_id, l.predictor, l.user_id, l.rank, l.title, l.rating as expected, p.rating as rated, l.score
from lists as l
left join (select distinct run_id, user_id, film_id, rating from rating_predictions where fold = 'test') as p
    using (run_id, user_id, film_id)
where l.fold = 'test'
order by l.run_id, l.predictor, l.user_id, l.rank;
