"""From a request to its answer: routing, parameters, bodies, errors, and the description of all that."""
