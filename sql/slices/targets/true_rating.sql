-- true_rating: the rating that was to be guessed.
select printf('%.1f', rating) as part from targets;
