-- novelty: mean over the named films of minus log2 of the share of users who had rated the film, in bits; a film that
-- nobody had rated counts as rated by one (Zhou et al., 2010, PNAS 107(10)). A list without any film counts 0.
select predictor, user_id, k, coalesce(avg(self_information) filter (film_id is not null), 0) as value
from listed group by predictor, user_id, k;
