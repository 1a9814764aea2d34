-- everyone: all users.
select user_id, 'all' as part from users;
