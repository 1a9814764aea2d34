-- Runs whose rejected adapter was alerted on: what is not there is alerted on with the next run.
create table sent_alerts (
    run_id varchar primary key,
    sent_at timestamptz not null
);
insert into sent_alerts select distinct run_id, now() from champions;
