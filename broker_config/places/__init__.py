"""Places: where the bytes of code archives are kept, whichever they are."""
