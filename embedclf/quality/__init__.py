"""Quality checks of labelled texts."""
