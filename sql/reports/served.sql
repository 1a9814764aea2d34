-- served: How did everyone's lists change from night to night, and which were refused?
select
    served_at, champion, users, round(full_share, 4) as full_share, films, films_change, round(overlap, 3) as overlap, changed,
    round(coverage, 4) as coverage, round(exposure_gini, 4) as exposure_gini, round(popularity_lift, 3) as popularity_lift,
    round(max_film_share, 4) as max_film_share, refused
from served
order by served_at desc;
