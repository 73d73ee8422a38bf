// Nothing: the program of a measurement that is over when its preloads are.
