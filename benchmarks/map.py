"""The map: which projection keeps most neighbours at what cost, and how fast its page is drawn.

    python benchmarks/map.py --banking77 FOLDER

Both parts use the 10,003 texts of Banking77's training set and their WordLlama vectors. UMAP, PaCMAP and openTSNE are
compared if they are installed (pip install umap-learn pacmap openTSNE); run it with OMP_NUM_THREADS=1, for all to have
one core. The frames are those of headless Chromium without a graphics card, if playwright and Chromium are installed.
"""

import argparse
import importlib
import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.exploration.projection import neighbours_kept, project

EMBEDDER = embedclf.open_embedder("wordllama")


def ours(vectors: np.ndarray) -> np.ndarray:
    return project(vectors)[0]


def pca(vectors: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(2, random_state=0).fit_transform(vectors)


def opentsne(vectors: np.ndarray) -> np.ndarray:
    from openTSNE import TSNE

    return np.asarray(TSNE(n_jobs=1, random_state=0, neighbors="exact").fit(vectors))


def umap(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP

    return UMAP(random_state=0, n_jobs=1, metric="cosine").fit_transform(vectors)


def pacmap(vectors: np.ndarray) -> np.ndarray:
    from pacmap import PaCMAP

    return PaCMAP(random_state=0).fit_transform(vectors)


PROJECTIONS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "embedclf (scikit-learn's t-SNE)": ("sklearn", ours),
    "PCA": ("sklearn", pca),
    "openTSNE": ("openTSNE", opentsne),
    "UMAP": ("umap", umap),
    "PaCMAP": ("pacmap", pacmap),
}


def measure(name: str, path: str) -> None:
    """Run in a process of its own, for its memory."""
    vectors = np.load(path)
    package, project = PROJECTIONS[name]
    try:
        importlib.import_module(package)
    except ImportError:
        print(f"{name}: not installed", flush=True)
        return
    warnings.simplefilter("ignore")
    before = time.process_time()
    positions = project(vectors)
    seconds = time.process_time() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    kept = neighbours_kept(vectors, np.asarray(positions, dtype=np.float32))
    print(
        f"{name}: {kept:.1%} of 10 nearest neighbours kept, {seconds:.0f} s of CPU time, {memory:.0f} MB at most",
        flush=True,
    )


FRAMES = """async () => {
  const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
  const at = (share) => ({ clientX: box.left + box.width * share, clientY: box.top + box.height / 2, bubbles: true });
  const fire = (kind, share) => canvas.dispatchEvent(new PointerEvent(kind, { ...at(share), pointerId: 1 }));
  canvas.setPointerCapture = () => {};
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const measured = async (step) => {
    const times = [];
    await frame();
    let before = performance.now();
    for (let number = 0; number < 120; number += 1) {
      step(number);
      await frame();
      const now = performance.now();
      times.push(now - before);
      before = now;
    }
    return times;
  };
  const pointing = await measured((number) => fire("pointermove", 0.2 + number / 200));
  const zooming = await measured((number) => canvas.dispatchEvent(
    new WheelEvent("wheel", { ...at(0.5), deltaY: number < 60 ? -40 : 40, cancelable: true })));
  fire("pointerdown", 0.3);
  const moving = await measured((number) => fire("pointermove", 0.3 + number / 400));
  fire("pointerup", 0.6);
  return { pointing, zooming, moving };
}"""


def frames(page_of: str) -> None:
    browser = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        print("The frames are not measured: playwright or Chromium is not installed")
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "map.html"
        path.write_text(page_of, encoding="utf-8")
        print(f"the page: {path.stat().st_size / 1e6:.2f} MB", flush=True)
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1_280, "height": 800})
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]")
        for name, times in page.evaluate(FRAMES).items():
            worst = statistics.quantiles(times, n=20)[-1]
            print(f"{name}: {statistics.median(times):.0f} ms a frame, 95 % within {worst:.0f} ms", flush=True)
        opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--frames-only", action="store_true", help="Leave the projections out, and place by PCA.")
    args = parser.parse_args()

    corpus = read_corpus(args.banking77 / "banking77_train.csv")
    vectors = EMBEDDER.embed(corpus.texts)
    if not args.frames_only:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/vectors.npy"
            np.save(path, vectors)
            for name in PROJECTIONS:
                process = multiprocessing.get_context("spawn").Process(target=measure, args=(name, path))
                process.start()
                process.join()
    made = (
        embedclf.TextMap(pca(vectors), tuple(corpus.texts), tuple(corpus.labels), "PCA", None)
        if args.frames_only
        else embedclf.text_map(corpus.texts, corpus.labels, vectors=vectors)
    )
    frames(embedclf.map_page(made, "Banking77", source="banking77_train.csv", lines=corpus.lines))


if __name__ == "__main__":
    main()
