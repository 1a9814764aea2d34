-- log_loss: mean of minus the natural logarithm of the probability given to the true rating, none taken below 1e-7.
select user_id, film_id, -ln(case when p < 1e-7 then 1e-7 else p end) as value
from (
    select user_id, film_id, probabilities[list_position((select scale from ratings_scale), rating)] as p
    from predicted_ratings
);
