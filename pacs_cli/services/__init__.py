"""DIMSE services over one association: the user side (`scu`) and the provider side (`scp`)."""
