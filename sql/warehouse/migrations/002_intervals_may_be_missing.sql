-- The interval of a metric is null where the metric is no mean over users.
alter table metrics alter low drop not null;
alter table metrics alter high drop not null;
