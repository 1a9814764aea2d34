-- why_recommended: each named film with the run, prompts, adapter, data and commit that it came from.
create or replace view why_recommended as
select r.*, p.run_at, p.prompts, p.adapter, p.base, p.trusted_ratings, p.raw_ratings, p.commit
from recommended as r join provenance as p using (run_id)
order by p.run_at desc, r.predictor, r.user_id, r.rank;
