-- Step 0 is before training: it has no loss.
alter table training alter column loss drop not null;
