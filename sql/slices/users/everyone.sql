-- everyone: all users.
select user_id, 'all' as slice_value from users;
