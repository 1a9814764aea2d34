-- served: everyone's lists of each night, served or refused, beside those that were served before.
create or replace view served as
select
    *,
    users - lag(users) over before as users_change,
    full_share - lag(full_share) over before as full_share_change,
    films - lag(films) over before as films_change,
    coverage - lag(coverage) over before as coverage_change,
    exposure_gini - lag(exposure_gini) over before as exposure_gini_change,
    popularity_lift - lag(popularity_lift) over before as popularity_lift_change,
    max_film_share - lag(max_film_share) over before as max_film_share_change
from serves
window before as (partition by dataset, refused is null order by served_at)
order by served_at desc;
