"""Whether labelled texts are fit to train on."""
