"""What an embedding model is told besides the text: the task that its vectors are for, and a prompt."""

from embedclf.errors import EmbedderError

CLASSIFICATION, CLUSTERING, SIMILARITY = "classification", "clustering", "similarity"
NO_TASK = "none"
"""Stands for no task where None stands for the usual one."""

TASKS = (CLASSIFICATION, CLUSTERING, SIMILARITY, NO_TASK)
"""What an argument `task` may be."""

TASK_TYPES = {CLASSIFICATION: "CLASSIFICATION", CLUSTERING: "CLUSTERING", SIMILARITY: "SEMANTIC_SIMILARITY"}
"""The field ``task_type`` of Google's API, by task."""

_NAMES = {name: name for name in TASKS} | {value.lower(): name for name, value in TASK_TYPES.items()}


def task_named(name: str) -> str:
    """Return the task of a name; upper case and Google's own names are accepted as well.

    Raises
    ------
    EmbedderError
        If there is no such task.
    """
    task = _NAMES.get(name.lower().replace("-", "_")) if isinstance(name, str) else None
    if task is None:
        raise EmbedderError(f"unknown task {name!r:.60}: it must be {', '.join(TASKS[:-1])} or {TASKS[-1]}")
    return task


def check_prompt(prompt: str | None) -> str | None:
    """Return a prompt as it was given, or None if there is none or it is empty.

    Raises
    ------
    TypeError
        If it is not a string.
    EmbedderError
        If it is not valid Unicode.
    """
    if prompt is not None and not isinstance(prompt, str):
        raise TypeError(f"prompt must be a string, not of type {type(prompt).__name__}")
    try:
        (prompt or "").encode()
    except UnicodeEncodeError as error:
        raise EmbedderError(f"the prompt is not valid Unicode: {error.reason}") from None
    return prompt or None


def check_task(name: str, given: str | None, *, is_told: bool | None, usual: str) -> str | None:
    """Return the task to tell a model, or None.

    Parameters
    ----------
    name : str
        The model's, for errors.
    given : str or None
        None stands for the usual task.
    is_told : bool or None
        Whether the model can be told its task; None if that is unknown, and then it is told only what was given.
    usual : str
        The task if none is given.

    Raises
    ------
    EmbedderError
        If there is no such task, or the model cannot be told.
    """
    if given is None:
        return usual if is_told else None
    task = task_named(given)
    if task == NO_TASK:
        return None
    if is_told is False:
        raise EmbedderError(f"{name} does not take a task: leave out --task (task=)")
    return task
