"""Use any LangChain Embeddings in embedclf, and embedclf's embedders in LangChain.

    pip install 'embedclf[langchain]'
    python examples/with_langchain.py

LangChain's own fake embeddings stand in for a provider's here, such as OllamaEmbeddings or HuggingFaceEmbeddings.
"""

from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

import embedclf

TEXTS = ["Where is my parcel?", "The courier never came", "I want my money back", "When do I get my refund?"]
LABELS = ["delivery", "delivery", "refund", "refund"]


def main() -> None:
    embeddings = DeterministicFakeEmbedding(size=64)
    classifier = embedclf.train(TEXTS, LABELS, embedder=embeddings)
    classifier.save("external.safetensors")
    # A file cannot name an embedder object, so it is passed again.
    print(embedclf.load("external.safetensors", embedder=embeddings).predict(TEXTS))

    store = InMemoryVectorStore(embedclf.as_langchain(embedclf.open_embedder("wordllama")))
    store.add_texts(TEXTS)
    print(store.similarity_search("my package", k=1)[0].page_content)


if __name__ == "__main__":
    main()
