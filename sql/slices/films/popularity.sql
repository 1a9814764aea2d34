-- popularity: tenth of the films, by number of known ratings; 01 is the least rated tenth, 10 the most rated.
select film_id, printf('%02d', popularity_decile) as slice_value from film_facts;
