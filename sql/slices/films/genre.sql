-- genre: each genre of the film; a film of several counts in each.
select film_id, unnest(case when genres = '' then ['none'] else string_split(genres, '|') end) as slice_value
from film_facts;
