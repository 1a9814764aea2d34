-- champion: the adapter in use.
create or replace view champion as
select adapter, run_id, decided_at, reason from champions
where promoted order by decided_at desc limit 1;
