-- Step 0 is what the model could do before it learnt: it has no loss yet.
alter table training alter column loss drop not null;
