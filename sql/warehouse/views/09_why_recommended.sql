-- why_recommended: each recommended film with the shard of its user's prompts, and the adapter, data and commit behind
-- it.
create or replace view why_recommended as
select r.*, p.run_at, p.prompts, s.file as shard, p.adapter, p.base, p.validated_ratings, p.raw_ratings, p.commit
from recommended as r
join provenance as p using (run_id)
left join shards as s
    on s.run_id = r.run_id and s.fingerprint = p.prompts and r.user_id between s.first_user and s.last_user
order by p.run_at desc, r.predictor, r.user_id, r.rank;
