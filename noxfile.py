"""What CI does, step by step, in environments of their own: ``nox``, or ``nox -s docs`` for one of them."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "docs", "fast"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, and types."""
    session.install("-e", ".[dev]", "codespell", "validate-pyproject")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell", "README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "examples", "embedclf")
    session.run("validate-pyproject", "pyproject.toml")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site; run what the pages show."""
    session.install("-e", ".[dev]")
    session.run("mkdocs", "build", "--strict")
    pages = [f"tests/promises/test_{name}.py" for name in ("readme", "docs", "examples")]
    session.run("pytest", "-n", "2", *pages, *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Run all tests; each process has one thread, so that they do not wait for each other's."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "2", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def fast(session: nox.Session) -> None:
    """Run the fast tests."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-m", "not slow", "-n", "2", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the fast tests with the lowest versions that pyproject.toml allows, whose own warnings are no errors."""
    session.install("uv")
    python = Path(session.bin, "python")
    session.run("uv", "pip", "install", "--python", str(python), "--resolution", "lowest-direct", "-e", ".[dev]")
    ours = ("-m", "not slow", "-o", "filterwarnings=ignore")
    session.run("pytest", *ours, "-n", "2", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, and use it where the repository is not."""
    session.install("build")
    work = session.create_tmp()
    session.run("python", "-m", "build", "--wheel", "--outdir", f"{work}/dist", ".")
    (built,) = Path(work, "dist").resolve().glob("*.whl")
    session.install(str(built))
    model = Path(session.invoked_from, "models", "example.safetensors")
    with session.chdir(work):
        session.run("embedclf", "predict", "-m", str(model), "I was charged twice this month")
