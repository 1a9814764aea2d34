-- A night that looks back knows only the ratings of days before that one; null for all there were.
alter table runs add column as_of date;
