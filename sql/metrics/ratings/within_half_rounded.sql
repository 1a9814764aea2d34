-- within_half_rounded: within_half of the value rounded to the scale: half-way between two values it is right for both;
-- here it is the one on the side of the most likely rating, else the higher.
select
    user_id, film_id,
    cast(abs(rating - list_reduce(
        (select scale from ratings_scale),
        lambda near, other: case when abs(other - nudged) <= abs(near - nudged) then other else near end
    )) <= 0.5 as integer) as value
from (
    select user_id, film_id, rating, cast(within_half + 0.001 * sign(mode - within_half) as float) as nudged
    from predicted_ratings
);
