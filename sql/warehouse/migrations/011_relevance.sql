-- Metrics of lists count liked films or all rated ones; until now they counted all rated ones.
alter table metrics add column relevance varchar;
alter table comparisons add column relevance varchar;
update metrics set relevance = 'rated' where metric in ('hit', 'map', 'mrr', 'ndcg', 'precision', 'recall');
update comparisons set relevance = 'rated' where metric in ('hit', 'map', 'mrr', 'ndcg', 'precision', 'recall');
