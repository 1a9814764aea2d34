-- recommended: each entry of the test fold's lists, with the rating that the user then gave, if any.
create or replace view recommended as
select l.run_id, l.predictor, l.user_id, l.rank, l.title, l.rating as expected, p.rating as rated, l.score
from lists as l
left join (select distinct run_id, user_id, film_id, rating from rating_predictions where fold = 'test') as p
    using (run_id, user_id, film_id)
where l.fold = 'test'
order by l.run_id, l.predictor, l.user_id, l.rank;
