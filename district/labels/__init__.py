"""Labels (二维码标牌): which are printed when, how they look, and the files for the printer."""
