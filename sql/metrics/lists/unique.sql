-- unique: share of a list's k places that hold a film of the catalogue not named further up.
select predictor, user_id, k, count(distinct film_id) / k as value from listed group by predictor, user_id, k;
