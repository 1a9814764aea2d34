-- catalogue_coverage: share of the catalogue's films that are named in at least one list.
select predictor, k, count(distinct film_id) / (select count(*) from films) as value, count(distinct user_id) as n
from listed group by predictor, k;
