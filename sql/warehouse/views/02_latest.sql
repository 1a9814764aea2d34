-- latest: the leaderboard of the newest run of each dataset and protocol.
create or replace view latest as
select * from leaderboard
where run_id in (select arg_max(run_id, run_at) from runs group by dataset, protocol);
