-- champion: the adapter in use for each data set and recipe of the split, the one that serves first.
create or replace view champion as
select
    adapter, run_id, decided_at, reason, dataset, protocol, split_recipe,
    coalesce((dataset, split_recipe) = (
        select (r.dataset, r.split_recipe) from serving as s join runs as r using (run_id) order by s.set_at desc limit 1
    ), false) as serves
from champions join runs using (run_id)
where promoted
qualify row_number() over (partition by dataset, split_recipe order by decided_at desc) = 1
order by serves desc, decided_at desc;
