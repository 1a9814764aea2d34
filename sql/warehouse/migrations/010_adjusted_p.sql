-- The p-value of a difference, adjusted for all comparisons of its metric and slice; null in runs published before.
alter table comparisons add column p_adjusted double;
