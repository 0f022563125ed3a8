"""Text classification on embedding features.

>>> import embedclf
>>> classifier = embedclf.train(texts, labels)  # doctest: +SKIP
>>> classifier.predict(["Where is my refund?"])  # doctest: +SKIP
['refund']

Public names are loaded on first use, so that importing the package takes almost no time.
"""

import lazy_loader

# The public names are listed in __init__.pyi and nowhere else.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
