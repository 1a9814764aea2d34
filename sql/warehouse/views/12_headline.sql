-- headline: the leaderboard without the second reading of lists: hits are films that users liked. In runs published
-- before there was that reading, and in data in which nobody liked a film, hits are films that users rated.
create or replace view headline as
select * from leaderboard
qualify relevance is null or relevance = min(relevance) over (partition by run_id) -- liked, else rated
order by run_at desc, run_id, metric, k, predictor;
