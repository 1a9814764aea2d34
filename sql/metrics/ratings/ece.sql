-- ece: expected calibration error of the most likely rating: in ten bins of its probability, how far the share of
-- hits lies from the mean probability, weighted by size (Guo et al., 2017, On Calibration of Modern Neural Networks).
select
    user_id, film_id,
    list_max(probabilities) - cast(mode = rating as integer) as value,
    least(floor(list_max(probabilities) * 10), 9) as bin
from predicted_ratings;
