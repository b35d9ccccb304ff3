SELECT /* one */ a -- two
  , /* + no hint */ b /* 'three' -- x */ FROM /* four */ (VALUES (1, 'x')) /* five */ AS t (a, b) -- 'six
WHERE a = /* seven */ 1;
