"""Text classification on embedding features.

>>> import embedclf
>>> classifier = embedclf.train(texts, labels)  # doctest: +SKIP
>>> classifier.predict(["Where is my refund?"])  # doctest: +SKIP
['refund']

The public names are loaded when first used, so that importing the package costs next to nothing.
"""

import lazy_loader

# Each public name stands in __init__.pyi, and there alone.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
