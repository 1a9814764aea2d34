-- champions: Which adapters became champion, which did not, and why?
select decided_at, adapter, previous_champion, promoted, reason, run_id
from champions
order by decided_at desc;
