-- true_rating: the rating that was to be guessed.
select user_id, film_id, printf('%.1f', rating) as part from targets;
