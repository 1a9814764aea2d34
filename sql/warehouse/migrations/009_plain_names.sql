-- Tables and columns take the field's names.
alter table probes rename to ablations;
alter table ablations rename probe to ablation;
alter table recalled rename to memorization;
alter table rating_predictions rename low to pi80_low;   -- 80 % prediction interval
alter table rating_predictions rename high to pi80_high;
