-- decade: in which the film was released.
select coalesce(cast(year // 10 * 10 as varchar) || 's', 'unknown') as part from targets;
