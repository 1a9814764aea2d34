-- A run on past data knows only the ratings of days before this one; null for all.
alter table runs add column as_of date;
