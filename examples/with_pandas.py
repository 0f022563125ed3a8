# %% [markdown]
# Explore, train, and predict with pandas: run it cell by cell in a notebook or an editor, or as a script.

# %%
import pandas as pd

import embedclf

tickets = pd.read_csv("datasets/support_tickets.csv")
tickets["label"].value_counts()

# %% What are these texts about? (No labels are used.)
groups = embedclf.cluster(tickets["text"])
pd.DataFrame([{"name": one.name, "texts": one.size} for one in groups.clusters])

# %% Train, and measure on texts that it has not seen.
classifier = embedclf.train(tickets["text"], tickets["label"])
test = pd.read_csv("datasets/support_tickets_test.csv")
report = embedclf.evaluate(classifier, test["text"], test["label"])
print(f"accuracy {report.accuracy:.3f}, macro-F1 {report.macro_f1:.3f}, ECE {report.ece:.3f}")

# %% Which labels are hard?
per_label = pd.DataFrame.from_dict({name: one._asdict() for name, one in report.per_class.items()}, orient="index")
print(per_label.sort_values("f1").head(3).round(2))

# %% Label new texts; below a confidence of 0.6, leave them to a person.
new = pd.DataFrame({"text": ["Where is my parcel?", "I was charged twice this month", "hm"]})
probabilities = classifier.predict_proba(new["text"])
new["label"] = classifier.with_min_confidence(0.6).decide(probabilities)
new["confidence"] = probabilities.max(axis=1)
print(new.to_string(index=False))
