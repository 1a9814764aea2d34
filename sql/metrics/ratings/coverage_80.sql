-- coverage_80: share of ratings that lie in the 80 % interval; 0.8 is right, more is too cautious.
select cast(rating between pi80_low and pi80_high as integer) as value from predicted_ratings;
