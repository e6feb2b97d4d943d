"""Documents: drafted from charges, finalised with a gapless number, chained, corrected by credit notes."""
