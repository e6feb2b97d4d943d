"""The world outside the house: which addresses may be called, and a small client that calls those and no others."""
