-- Tables and columns take the field's names.
alter table probes rename to ablations;
alter table ablations rename probe to ablation;
alter table recalled rename to memorization;
