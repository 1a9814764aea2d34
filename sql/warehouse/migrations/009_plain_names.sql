-- Tables and columns take the field's names. Rows of earlier runs keep the kinds of artifact that they were published
-- with (trusted-ratings, histories, predictions, ...): these are the folders that the runs were built in.
alter table probes rename to ablations;
alter table ablations rename probe to ablation;
alter table ablations rename low to ci95_low;
alter table ablations rename high to ci95_high;
alter table recalled rename to memorization;
alter table memorization rename recalled to memorized;
alter table memorization rename low to ci95_low;
alter table memorization rename high to ci95_high;
alter table rating_predictions rename low to pi80_low; -- 80 % prediction interval
alter table rating_predictions rename high to pi80_high;
alter table metrics rename part to slice_value;
alter table metrics rename low to ci95_low; -- 95 % bootstrap interval
alter table metrics rename high to ci95_high;
alter table comparisons rename part to slice_value;
alter table comparisons rename low to ci95_low;
alter table comparisons rename high to ci95_high;
alter table checks rename checked to check_name;
alter table checks rename part to slice_value;
alter table checks rename found to value;
alter table checks rename allowed to threshold;
alter table champions rename champion to previous_champion;
alter table lists rename failure to error;
alter table stages rename reused to cache_hit;
-- Earlier runs were published with the two columns of the parent swapped.
update lineage set parent_kind = parent_fingerprint, parent_fingerprint = parent_kind
where regexp_full_match(parent_kind, '[0-9a-f]{16}');
