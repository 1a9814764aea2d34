-- champion: the adapter in use for each dataset and protocol, the newest decision first.
create or replace view champion as
select adapter, run_id, decided_at, reason, dataset, protocol
from champions join runs using (run_id)
where promoted
qualify row_number() over (partition by dataset, protocol order by decided_at desc) = 1
order by decided_at desc;
