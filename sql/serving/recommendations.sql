-- recommendations: comments on the table of recommendations.duckdb.
comment on table recommendations is 'the list of each user that is served, one row per user and rank';
comment on column recommendations.user_id is 'whose list';
comment on column recommendations.rank is 'from 1';
comment on column recommendations.film_id is 'a film of the catalogue that the user has not rated';
comment on column recommendations.title is 'with the year in brackets where it is known';
comment on column recommendations.genres is 'joined by |; empty where none is listed';
comment on column recommendations.expected is 'expected rating, in stars';
comment on column recommendations.pi80_low is 'lower end of the 80 % prediction interval';
comment on column recommendations.pi80_high is 'its upper end';
comment on column recommendations.p_like is 'probability of 4 stars or more';
comment on column recommendations.score is 'what the list is ordered by, larger first';
comment on column recommendations.valid_from is 'when the lists were swapped in';
comment on column recommendations.champion is 'fingerprint of the adapter that ranked';
comment on column recommendations.data is 'fingerprint of the validated ratings that were known';
