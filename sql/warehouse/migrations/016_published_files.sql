-- Predictions, lists, films, the quarantine and figures by slice stay in the Parquet files of their artifacts: here are
-- the names of each run's files, and what is small for ever. Rows of earlier runs stay in tables until gc deletes them.
create table published_files (
    run_id varchar not null,
    relation varchar not null,
    file varchar not null
);
create table overall_metrics (
    run_id varchar not null,
    predictor varchar not null,
    metric varchar not null,
    k integer,
    relevance varchar,
    value double not null,
    ci95_low double,
    ci95_high double,
    n bigint not null
);
insert into overall_metrics by name
select * exclude (slice, slice_value) from metrics where slice = 'everyone';
delete from metrics where slice = 'everyone';
create table overall_comparisons (
    run_id varchar not null,
    predictor varchar not null,
    against varchar not null,
    metric varchar not null,
    k integer,
    relevance varchar,
    difference double not null,
    ci95_low double not null,
    ci95_high double not null,
    p_adjusted double,
    n bigint not null
);
insert into overall_comparisons by name
select * exclude (slice, slice_value) from comparisons where slice = 'everyone';
delete from comparisons where slice = 'everyone';
alter table rating_predictions rename to earlier_rating_predictions;
alter table lists rename to earlier_lists;
alter table films rename to earlier_films;
alter table quarantine rename to earlier_quarantine;
alter table metrics rename to earlier_metric_files;
alter table comparisons rename to earlier_comparison_files;
