-- Meaning of every relation and column. Applied with every publish, after the views.
comment on table runs is 'one row per published run; never changed afterwards';
comment on column runs.run_id is 'fingerprint of the run''s scores: the same run has the same id';
comment on column runs.run_at is 'when the run was first published';
comment on column runs.profile is 'settings profile of the run';
comment on column runs.dataset is 'name of the data set';
comment on column runs.protocol is 'how ratings were split into folds';
comment on column runs.commit is 'commit of the project; null outside of a git checkout';
comment on column runs.as_of is 'the run knows only ratings of days before this one; null for all';
comment on column runs.split_recipe is 'hash of the settings of the split; the protocol''s name where it is not known';

comment on table stages is 'one row per run and stage';
comment on column stages.run_id is 'the run';
comment on column stages.stage is 'place in the run, from 1';
comment on column stages.kind is 'kind of artifact that the stage made';
comment on column stages.fingerprint is 'which artifact of that kind';
comment on column stages.cache_hit is 'found in the store, not built, by the run that published';
comment on column stages.seconds is 'wall seconds of building it';
comment on column stages.cpu_seconds is 'CPU seconds of building it, over all threads';
comment on column stages.peak_bytes is 'peak memory of the process while building it';
comment on column stages.bytes is 'size on disk';
comment on column stages.rows is 'rows of all its tables';

comment on table lineage is 'one row per run, artifact and parent';
comment on column lineage.run_id is 'the run';
comment on column lineage.kind is 'kind of the artifact';
comment on column lineage.fingerprint is 'which artifact of that kind';
comment on column lineage.parent_kind is 'kind of an artifact that it was made from';
comment on column lineage.parent_fingerprint is 'which artifact of that kind';

comment on view metrics is 'one row per run, predictor, metric, k, relevance, slice and value of the slice';
comment on column metrics.run_id is 'the run';
comment on column metrics.predictor is 'name of the predictor: llm, bias, ...';
comment on column metrics.metric is 'name of a file in sql/metrics';
comment on column metrics.k is 'length of the lists; null for metrics of ratings';
comment on column metrics.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column metrics.slice is 'name of a file in sql/slices';
comment on column metrics.slice_value is 'which value of the slice; all for everyone';
comment on column metrics.value is 'the metric';
comment on column metrics.ci95_low is '2.5 % point of the bootstrap over users; null where the metric is no mean over users';
comment on column metrics.ci95_high is '97.5 % point of the bootstrap over users; null where the metric is no mean over users';
comment on column metrics.n is 'ratings, or lists, behind the figure';

comment on view comparisons is 'one row per run, pair of predictors, metric, k, relevance, slice and value of the slice';
comment on column comparisons.run_id is 'the run';
comment on column comparisons.predictor is 'name of the predictor: llm, bias, ...';
comment on column comparisons.against is 'predictor that it is compared with, on the same users';
comment on column comparisons.metric is 'name of a file in sql/metrics';
comment on column comparisons.k is 'length of the lists; null for metrics of ratings';
comment on column comparisons.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column comparisons.slice is 'name of a file in sql/slices';
comment on column comparisons.slice_value is 'which value of the slice; all for everyone';
comment on column comparisons.difference is 'value of predictor minus value of against';
comment on column comparisons.ci95_low is '2.5 % point of the paired bootstrap over users';
comment on column comparisons.ci95_high is '97.5 % point of the paired bootstrap over users';
comment on column comparisons.p_adjusted is 'p-value, adjusted for all comparisons of the metric, k, relevance and slice; null in runs of before';
comment on column comparisons.n is 'ratings, or lists, behind the figure';

comment on view rating_predictions is 'one row per run, predictor, fold, user and film';
comment on column rating_predictions.run_id is 'the run';
comment on column rating_predictions.predictor is 'name of the predictor: llm, bias, ...';
comment on column rating_predictions.fold is 'validation or test';
comment on column rating_predictions.user_id is 'the user';
comment on column rating_predictions.film_id is 'the film';
comment on column rating_predictions.rating is 'true rating, in stars';
comment on column rating_predictions.mean is 'expected rating, for RMSE; clipped to the scale';
comment on column rating_predictions.median is 'median of the predicted distribution, for MAE';
comment on column rating_predictions.mode is 'most likely value of the scale';
comment on column rating_predictions.within_half is 'value with the most probability within half a star';
comment on column rating_predictions.pi80_low is 'lower end of the 80 % prediction interval; null without probabilities';
comment on column rating_predictions.pi80_high is 'upper end of the 80 % prediction interval; null without probabilities';
comment on column rating_predictions.p_like is 'probability of 4 stars or more; null without probabilities';
comment on column rating_predictions.probabilities is 'probability of each value of the scale, ascending; null where the predictor gives no distribution';

comment on view lists is 'one row per run, predictor, fold, user and rank';
comment on column lists.run_id is 'the run';
comment on column lists.predictor is 'name of the predictor: llm, bias, ...';
comment on column lists.fold is 'validation or test';
comment on column lists.user_id is 'the user';
comment on column lists.rank is 'place in the list, from 1';
comment on column lists.film_id is 'the film; null where a list names no film of the catalogue';
comment on column lists.title is 'title as the predictor named it';
comment on column lists.rating is 'expected rating, in stars; null where none was given';
comment on column lists.score is 'what the list is ordered by, larger first';
comment on column lists.error is 'null, or what is wrong with the entry, by name';

comment on view quarantine is 'one row per run and source row that broke a rule';
comment on column quarantine.run_id is 'the run';
comment on column quarantine.relation is 'ratings or films';
comment on column quarantine.source is 'name of the source file';
comment on column quarantine.line is 'line of that file, the header being line 1';
comment on column quarantine.rule is 'the rule it broke';
comment on column quarantine.detail is 'what was found';

comment on table training is 'one row per run and logged training step';
comment on column training.run_id is 'the run';
comment on column training.step is 'optimiser steps done';
comment on column training.examples is 'examples seen';
comment on column training.tokens is 'tokens seen';
comment on column training.loss is 'mean training loss since the last row; null at step 0, before training';
comment on column training.learning_rate is 'learning rate at that step';
comment on column training.validation_loss is 'loss on the validation examples; null where none was taken';
comment on column training.validation_rmse is 'RMSE of the expected rating on the validation examples; null where none was taken';

comment on view films is 'one row per run and film';
comment on column films.run_id is 'the run';
comment on column films.film_id is 'the film';
comment on column films.title is 'title with the year in brackets where it is known: Toy Story (1995)';
comment on column films.year is 'year of release; null where the source names none';
comment on column films.genres is 'genres joined by |; empty where none is listed';

comment on table champions is 'one row per decision about a champion';
comment on column champions.run_id is 'the run';
comment on column champions.decided_at is 'when the decision was made';
comment on column champions.adapter is 'fingerprint of the challenger';
comment on column champions.previous_champion is 'fingerprint of the adapter in use until then; null for the first';
comment on column champions.promoted is 'whether the challenger became champion';
comment on column champions.reason is 'reason of the decision in one sentence, with the figures';

comment on table serving is 'one row per choice of the data set and split that serve, the newest in force';
comment on column serving.set_at is 'when it was chosen';
comment on column serving.run_id is 'a run with that data set and split';

comment on table settings is 'one row per run, kind of artifact, setting and value: several where artifacts of a kind differ';
comment on column settings.run_id is 'the run';
comment on column settings.kind is 'kind of the artifact';
comment on column settings.setting is 'dotted name in its recipe; code: the version of the code that made it';
comment on column settings.value is 'as JSON; of more than 200 characters a hash';
comment on table contests is 'one row per decision and difference, of the half of the users that had no part in it';
comment on column contests.run_id is 'the run';
comment on column contests.predictor is 'what is served: blend, ranked';
comment on column contests.against is 'the same of the champion, or of the best champion so far';
comment on column contests.metric is 'name of a file in sql/metrics';
comment on column contests.k is 'length of the lists; null for metrics of ratings';
comment on column contests.relevance is 'which films count as hits: liked or rated; null where none do';
comment on column contests.difference is 'value of predictor minus value of against';
comment on column contests.ci95_low is '2.5 % point of the paired bootstrap over users';
comment on column contests.ci95_high is '97.5 % point of the paired bootstrap over users';
comment on column contests.n is 'ratings, or lists, behind the figure';

comment on table sent_alerts is 'one row per run with an alert on its rejected adapter';
comment on column sent_alerts.run_id is 'the run';
comment on column sent_alerts.sent_at is 'when the alert was sent';

comment on table shards is 'one row per run, prompts and shard';
comment on column shards.run_id is 'the run';
comment on column shards.fingerprint is 'fingerprint of the prompts';
comment on column shards.file is 'name of the shard in their folder';
comment on column shards.first_user is 'smallest user id in the shard';
comment on column shards.last_user is 'largest user id in the shard';
comment on column shards.examples is 'examples in the shard';

comment on table ablations is 'one row per run and perturbation of the contexts';
comment on column ablations.run_id is 'the run';
comment on column ablations.ablation is 'how contexts were perturbed; none: not at all';
comment on column ablations.predictor is 'name of the predictor: llm, bias, ...';
comment on column ablations.n is 'ratings behind the figure';
comment on column ablations.rmse is 'RMSE of the expected rating, in stars';
comment on column ablations.difference is 'RMSE minus that of none, on the same ratings';
comment on column ablations.ci95_low is '2.5 % point of the paired bootstrap over users';
comment on column ablations.ci95_high is '97.5 % point of the paired bootstrap over users';

comment on table memorization is 'one row per run and kind of source row';
comment on column memorization.run_id is 'the run';
comment on column memorization.kind is 'film: the title after its id; rating: stars and time after user and film';
comment on column memorization.n is 'rows to complete';
comment on column memorization.memorized is 'rows that greedy decoding completes exactly';
comment on column memorization.share is 'memorized divided by n';
comment on column memorization.ci95_low is '2.5 % point by Wilson';
comment on column memorization.ci95_high is '97.5 % point by Wilson';

comment on table checks is 'one row per decision and check';
comment on column checks.run_id is 'the run';
comment on column checks.check_name is 'rmse, ndcg, rmse by a slice, each also of the best champion so far, llm_value, coverage, or data';
comment on column checks.slice_value is 'everyone, a value of the slice, or the rule of the data';
comment on column checks.value is 'what is lost; larger is worse';
comment on column checks.threshold is 'the margin';
comment on column checks.passed is 'whether value is at most threshold';

comment on table migrations is 'one row per migration of this database';
comment on column migrations.name is 'file of sql/warehouse/migrations';
comment on column migrations.taken_at is 'when it was applied';

comment on table forecasts is 'one row per run and long stage of the language model, tried on its machine before training';
comment on column forecasts.run_id is 'the run';
comment on column forecasts.stage is 'as the log names it';
comment on column forecasts.examples is 'examples that it reads or learns from';
comment on column forecasts.tokens_each is 'mean tokens of an example, branches included';
comment on column forecasts.seconds_each is 'seconds that an example took in the trial';
comment on column forecasts.seconds is 'seconds expected of the whole stage';
comment on column forecasts.peak_bytes is 'peak memory in the trial: of the GPU where there is one, or of the process';
comment on column forecasts.settings is 'settings that make the stage shorter';
