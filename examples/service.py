"""A FastAPI application that labels tickets: a route of your own, and embedclf's whole service under /tickets.

pip install 'embedclf[serve]'
EMBEDCLF_MODEL=models/example.safetensors uvicorn --app-dir examples service:app
curl -X POST "http://127.0.0.1:8000/route?text=Where+is+my+parcel"
"""

import os

from fastapi import FastAPI

import embedclf

# A service should fail sooner than a person at a terminal would give up.
classifier = embedclf.load(os.environ["EMBEDCLF_MODEL"], retries=2, timeout=10).with_min_confidence(0.6)
app = FastAPI()


@app.post("/route")
async def route(text: str) -> dict[str, str]:
    """Say which team a ticket goes to; a person decides where the classifier abstains, or the text is empty."""
    (prediction,) = await classifier.aclassify([text])
    return {"team": prediction.label or "triage"}


app.mount("/tickets", embedclf.create_app(classifier, token=os.environ.get("EMBEDCLF_TOKEN")))
