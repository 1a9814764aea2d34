-- existing: share of a list's k places that hold a film of the catalogue.
select predictor, user_id, k, count(film_id) / k as value from listed group by predictor, user_id, k;
