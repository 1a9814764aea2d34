-- Meaning of the relations that read a run's files, and of the tables of figures over everyone.
comment on table published_files is 'one row per run, relation and Parquet file of its rows';
comment on column published_files.run_id is 'the run';
comment on column published_files.relation is 'which view has its rows';
comment on column published_files.file is 'path below the store';

comment on view present_files is 'one row per Parquet file of predictions, lists, scores or valid data in this store';
comment on column present_files.file is 'path below the store';
comment on column present_files.opened_as is 'path as this reader opens it';

comment on view missing_files is 'one row per run and relation whose rows are not in this store: gc deleted the files, or another machine has them';
comment on column missing_files.run_id is 'the run';
comment on column missing_files.run_at is 'when the run was first published';
comment on column missing_files.relation is 'which view lacks its rows';
comment on column missing_files.files is 'how many files';
comment on column missing_files.first_file is 'path of one below the store';

comment on table overall_metrics is 'one row per run, predictor, metric, k, relevance; over everyone, kept for ever';
comment on column overall_metrics.run_id is 'the run';
comment on column overall_metrics.predictor is 'name of the predictor: llm, bias, ...';
comment on column overall_metrics.metric is 'name of a file in sql/metrics';
comment on column overall_metrics.k is 'length of the lists; null for metrics of ratings';
comment on column overall_metrics.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column overall_metrics.value is 'the metric';
comment on column overall_metrics.ci95_low is '2.5 % point of the bootstrap over users; null where the metric is no mean over users';
comment on column overall_metrics.ci95_high is '97.5 % point of the bootstrap over users; null where the metric is no mean over users';
comment on column overall_metrics.n is 'ratings, or lists, behind the figure';

comment on table overall_comparisons is 'one row per run, pair of predictors, metric, k, relevance; over everyone, kept for ever';
comment on column overall_comparisons.run_id is 'the run';
comment on column overall_comparisons.predictor is 'name of the predictor: llm, bias, ...';
comment on column overall_comparisons.against is 'predictor that it is compared with, on the same users';
comment on column overall_comparisons.metric is 'name of a file in sql/metrics';
comment on column overall_comparisons.k is 'length of the lists; null for metrics of ratings';
comment on column overall_comparisons.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column overall_comparisons.difference is 'value of predictor minus value of against';
comment on column overall_comparisons.ci95_low is '2.5 % point of the paired bootstrap over users';
comment on column overall_comparisons.ci95_high is '97.5 % point of the paired bootstrap over users';
comment on column overall_comparisons.p_adjusted is 'p-value, adjusted for all comparisons of the metric, k, relevance and slice; null in runs of before';
comment on column overall_comparisons.n is 'ratings, or lists, behind the figure';

comment on view metric_files is 'one row per run, predictor, metric, k, relevance, slice and value of the slice';
comment on column metric_files.run_id is 'the run';
comment on column metric_files.predictor is 'name of the predictor: llm, bias, ...';
comment on column metric_files.metric is 'name of a file in sql/metrics';
comment on column metric_files.k is 'length of the lists; null for metrics of ratings';
comment on column metric_files.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column metric_files.slice is 'name of a file in sql/slices';
comment on column metric_files.slice_value is 'which value of the slice; all for everyone';
comment on column metric_files.value is 'the metric';
comment on column metric_files.ci95_low is '2.5 % point of the bootstrap over users; null where the metric is no mean over users';
comment on column metric_files.ci95_high is '97.5 % point of the bootstrap over users; null where the metric is no mean over users';
comment on column metric_files.n is 'ratings, or lists, behind the figure';

comment on view comparison_files is 'one row per run, pair of predictors, metric, k, relevance, slice and value of the slice';
comment on column comparison_files.run_id is 'the run';
comment on column comparison_files.predictor is 'name of the predictor: llm, bias, ...';
comment on column comparison_files.against is 'predictor that it is compared with, on the same users';
comment on column comparison_files.metric is 'name of a file in sql/metrics';
comment on column comparison_files.k is 'length of the lists; null for metrics of ratings';
comment on column comparison_files.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column comparison_files.slice is 'name of a file in sql/slices';
comment on column comparison_files.slice_value is 'which value of the slice; all for everyone';
comment on column comparison_files.difference is 'value of predictor minus value of against';
comment on column comparison_files.ci95_low is '2.5 % point of the paired bootstrap over users';
comment on column comparison_files.ci95_high is '97.5 % point of the paired bootstrap over users';
comment on column comparison_files.p_adjusted is 'p-value, adjusted for all comparisons of the metric, k, relevance and slice; null in runs of before';
comment on column comparison_files.n is 'ratings, or lists, behind the figure';
