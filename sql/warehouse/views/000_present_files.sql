-- present_files: the Parquet files of predictions, lists, scores and valid data that are in this store, by the names of
-- published_files. Names are relative: open the database in the store's root, or set file_search_path to it.
create or replace view present_files as
select regexp_extract(file, '[^/]+/[^/]+/[^/]+/[^/]+$') as file, file as opened_as
from (
    from glob('artifacts/rating-predictions/[!.]*/ratings*.parquet')
    union all from glob('artifacts/ranked-lists/[!.]*/lists*.parquet')
    union all from glob('artifacts/scores/[!.]*/*.parquet')
    union all from glob('data/validated-ratings/[!.]*/*.parquet')
);
