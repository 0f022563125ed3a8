"""Save a classifier as an MLflow pyfunc model, which contains the model file and this script, and no pickle.

    pip install embedclf mlflow
    python examples/with_mlflow.py models/example.safetensors tickets_mlflow

`mlflow.pyfunc.log_model` takes the same arguments in a run. To load the model, MLflow runs this file again.
"""

import sys
from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

import embedclf


class Labels(PythonModel):
    """Texts in; labels, None where the classifier abstains, and confidences out."""

    def load_context(self, context: PythonModelContext) -> None:
        self.classifier = embedclf.load(context.artifacts["classifier"])

    def predict(self, context: PythonModelContext, model_input: list[str], params: Any = None) -> list[dict[str, Any]]:
        return [{"label": one.label, "confidence": one.confidence} for one in self.classifier.classify(model_input)]


def main(classifier: str, folder: str) -> None:
    mlflow.pyfunc.save_model(
        folder, python_model=__file__, artifacts={"classifier": classifier}, pip_requirements=["embedclf"]
    )
    model = mlflow.pyfunc.load_model(folder)
    print(model.predict(["Where is my parcel?"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
else:
    mlflow.models.set_model(Labels())
