"""The owner's page: one home's state, served on the home network (`heatpool web`)."""
