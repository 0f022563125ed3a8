"""Text classification on embedding features.

    import embedclf

    classifier = embedclf.train(texts, labels)
    classifier.predict(["Where is my refund?"])  # ['refund']

Train and use a classifier
    train                 Train a classifier on labelled texts, or on a data frame.
    extend                Train further, on new rows and perhaps new labels, and compare: a `Retraining`.
    retrain               Retrain with another embedder or other rows, and compare: a `Retraining`.
    load                  Load a trained classifier from its file.
    TextClassifier        Predicts labels and probabilities, and explains them.
    MultiLabelClassifier  The same for texts that may have several labels, or none.
    Prediction            What `TextClassifier.classify` says of a text.
    Explanation           Why a text gets its label, word by word.
    explain               Explain labels by words and by the nearest training examples.
    predict_file          Classify the rows of a file of any size.
    FilePrediction        What `predict_file` has done.
    create_app            Make the HTTP service, to mount in another application.
    create_router         Make its routes, for a FastAPI application with dependencies of its own.
    Limits                What the service accepts.

Measure
    evaluate              Measure a classifier on texts: a `Report`, with a `Baseline`, or a `MultiLabelReport`.
    diff                  Compare two classifiers on the same texts: a `ModelDiff`.
    cross_validate        Estimate how good one would be: a `CrossValidation`, or a `MultiLabelCrossValidation`.
    learning_curve        Find out whether more labels would help: a `LearningCurve`.
    compare               Compare embedders, heads and features: a `Comparison`.
    drift                 Find out whether texts have changed, and how: a `Drift`.

Look at texts
    check                 Find label errors, duplicates, leakage and outliers: a `DataCheck`.
    split                 Divide texts into training and test rows, without near-duplicates across.
    cluster               Group similar texts: a `Clustering`.
    search                Find the texts nearest to a query: a `SearchResult`.
    recommend             Find diverse texts similar to one: a `Recommendation`.
    suggest               Choose the texts to label next: `Suggestions`.
    text_map              Lay out texts on a plane: a `TextMap`.
    map_page              Draw that map as an HTML page.

    What these return prints as a table, shows itself in notebooks, and has `to_dict` and `to_frame`; what has a page of
    its own has `to_html`, too.

Embed
    open_embedder         Open an embedding model by its name.
    Embedder              The base class of embedders; derive your own from it.
    EmbedderSpec          Says which model vectors come from; your own embedder has one.
    EmbeddedTexts         Texts that are embedded once and used several times.
    VectorCache           Where vectors are kept, so that no text is paid for twice.
    as_langchain          Use an embedder in LangChain.
    from_langchain        Use an embedder of LangChain here.
    label_name_texts      Write label names as texts, as training does.

scikit-learn
    EmbeddingTransformer  Embed texts as a step of a pipeline.
    EmbeddingClassifier   Classify texts; labels keep their type.
    LinearModel           The matrix inside a trained classifier.

Errors
    EmbedclfError         The base class of all of these:
    ArgumentError, BadRowsError, DataError, EmbedderError, MaxCostError, ModelFileError, OutputError, TextError,
    TrainingError

Public names are loaded on first use, so that importing the package takes almost no time.
"""

import lazy_loader

# The public names are listed in __init__.pyi; the text above introduces them.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
