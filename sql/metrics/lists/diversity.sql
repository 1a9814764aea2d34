-- diversity: mean over the pairs of named films of one less the share of genres in common (Jaccard); 0 without a pair
-- (Ziegler et al., 2005, Improving Recommendation Lists Through Topic Diversification).
select
    a.predictor, a.user_id, a.k,
    coalesce(avg(1 - len(list_intersect(a.genres, b.genres)) / len(list_distinct(a.genres || b.genres))), 0) as value
from listed as a left join listed as b
    on b.predictor = a.predictor and b.user_id = a.user_id and b.k = a.k and b.rank > a.rank
group by a.predictor, a.user_id, a.k;
