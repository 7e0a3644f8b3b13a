"""Networks of the agents, their dropout masks, and the exporter of model sets."""
