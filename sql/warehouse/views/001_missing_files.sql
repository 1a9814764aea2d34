-- missing_files: the runs whose files are not in this store, because gc has deleted them or another machine has them: the
-- relation has no rows of theirs. The newest run first.
create or replace view missing_files as
select run_id, run_at, relation, count(*) as files, min(file) as first_file
from published_files anti join present_files using (file) join runs using (run_id)
group by run_id, run_at, relation
order by run_at desc, run_id, relation;
