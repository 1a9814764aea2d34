-- genre: each genre of the film; a film of several counts in each.
select case when genres = '' then ['none'] else string_split(genres, '|') end as part from targets;
