-- provenance: the artifacts of each run, by fingerprint, and the commit of the project.
create or replace view provenance as
select
    run_id, run_at, profile, dataset, protocol, commit,
    any_value(fingerprint) filter (kind = 'raw-ratings') as raw_ratings,
    any_value(fingerprint) filter (kind in ('validated-ratings', 'trusted-ratings')) as validated_ratings,
    any_value(fingerprint) filter (kind in ('split-ratings', 'histories')) as split_ratings,
    arg_min(fingerprint, stage) filter (kind = 'prompts') as prompts, -- later ones are for candidates
    any_value(fingerprint) filter (kind = 'base') as base,
    any_value(fingerprint) filter (kind = 'adapter') as adapter,
    any_value(fingerprint) filter (kind = 'scores') as scores
from runs join stages using (run_id)
group by all
order by run_at desc;
