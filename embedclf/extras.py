"""What only some need, and install by name."""

from importlib import import_module

from embedclf.errors import EmbedclfError


def check_extra(extra: str, what: str, *packages: str) -> None:
    """See that what an extra brings is installed.

    Parameters
    ----------
    extra : str
        Its name, in ``embedclf[extra]``.
    what : str
        What needs it, for the error.
    packages : str
        As they are imported.

    Raises
    ------
    EmbedclfError
        Which names the first package that is missing, and the command that installs it.
    """
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise EmbedclfError(
                f"{what} needs the package {error.name}, which is not installed: pip install 'embedclf[{extra}]'"
            ) from error
