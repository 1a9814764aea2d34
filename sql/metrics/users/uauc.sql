-- uauc: mean, over the users with ratings of both kinds, of the share of pairs of a liked film (4 stars or more) and
-- another one that p_like orders rightly; equal ones count half. The mean where a predictor has no p_like
-- (Zhang et al., 2023, CoLLM, arXiv 2310.19488).
select
    user_id, cast(liked > 0 and others > 0 as integer) as weight,
    case when weight = 1 then (ranks - liked * (liked + 1) / 2) / (liked * others) else 0 end as value
from (
    select
        user_id, count(*) filter (rating >= 4) as liked, count(*) filter (rating < 4) as others,
        sum(mean_rank) filter (rating >= 4) as ranks
    from (
        select user_id, rating, (rank() over by_score + count(*) over by_score) / 2 as mean_rank -- of equal ones
        from predicted_ratings
        window by_score as (partition by user_id order by score)
    )
    group by user_id
);
