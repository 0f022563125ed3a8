"""Colours that are told apart."""

import numpy as np
import numpy.typing as npt

# Lightness of the colours by day, and what each becomes by night; chroma, from rich to dull.
_LIGHTNESS = {0.44: 0.80, 0.54: 0.70, 0.63: 0.62}
_CHROMA = (0.16, 0.09)


def palette(n: int) -> tuple[list[str], list[str]]:
    """Choose colours that differ as much as they can, each from all before it.

    Distances are those of OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020).

    Parameters
    ----------
    n : int

    Returns
    -------
    day, night : lists of str
        ``#rrggbb``, for a light ground and for a dark one; the same hues.
    """
    if not n:
        return [], []
    hues = np.deg2rad(np.arange(255, 255 + 360, 5) % 360)  # blue first
    grid = np.array([(light, chroma, hue) for light in _LIGHTNESS for chroma in _CHROMA for hue in hues])
    day = _in_gamut(*grid.T)
    night = _in_gamut(np.array([_LIGHTNESS[light] for light in grid[:, 0]]), grid[:, 1], grid[:, 2])
    start = 2 * len(hues)  # the middle lightness
    chosen = [start]
    # What is nearest of all that were chosen, by day and by night.
    distances = np.full(len(grid), np.inf)
    while len(chosen) < n:
        for colours in (day, night):
            distances = np.minimum(distances, np.linalg.norm(colours - colours[chosen[-1]], axis=1))
        chosen.append(int(distances.argmax()))
    return _hex(day[chosen]), _hex(night[chosen])


_Colours = npt.NDArray[np.float64]


def _in_gamut(light: _Colours, chroma: _Colours, hue: _Colours) -> _Colours:
    """Give OKLab colours, their chroma lowered until a screen has them."""
    for _ in range(40):
        lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
        linear = _linear_rgb(lab)
        outside = (linear.min(axis=1) < 0) | (linear.max(axis=1) > 1)
        chroma = np.where(outside, 0.95 * chroma, chroma)
    return lab


def _linear_rgb(lab: _Colours) -> _Colours:
    from_lab = np.array([
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ])  # fmt: skip
    to_rgb = np.array([
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ])  # fmt: skip
    linear: _Colours = (lab @ from_lab.T) ** 3 @ to_rgb.T
    return linear


def _hex(lab: _Colours) -> list[str]:
    linear = _linear_rgb(lab).clip(0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return ["#" + bytes(one).hex() for one in np.rint(255 * rgb).astype(np.uint8)]
