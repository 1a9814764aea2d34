-- champions: Which adapters were promoted or rejected, and why?
select decided_at, adapter, previous_champion, promoted, reason, run_id
from champions
order by decided_at desc;
