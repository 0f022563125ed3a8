# %% [markdown]
# Explore, train, and predict with pandas: run it cell by cell in a notebook or an editor, or as a script.

# %%
import pandas as pd

import embedclf

tickets = pd.read_csv("datasets/support_tickets.csv")
tickets["label"].value_counts()

# %% What are these texts about? (No labels are used.)
groups = embedclf.cluster(tickets["text"])
groups.to_frame()[["name", "size"]]

# %% Train, and measure on texts that it has not seen.
classifier = embedclf.train(tickets, text="text", label="label")
test = pd.read_csv("datasets/support_tickets_test.csv")
report = embedclf.evaluate(classifier, test)
print(report)

# %% Which labels are hard?
print(report.to_frame().sort_values("f1").head(3).round(2))

# %% Label new texts; below a confidence of 0.6, leave them to a person.
new = pd.DataFrame({"text": ["Where is my parcel?", "I was charged twice this month", "hm"]})
predictions = classifier.with_min_confidence(0.6).classify(new["text"])
new["label"] = [one.label for one in predictions]
new["confidence"] = [one.confidence for one in predictions]
print(new.to_string(index=False))
