"""Colours of labels on a map."""

# Chosen once, greedily: each colour is the one of a grid of OKLCH colours (three lightnesses, two chromas, hues 5
# degrees apart, limited to sRGB) that is farthest from all before it, in both palettes, measured in OKLab (Björn
# Ottosson, "A perceptual color space for image processing", 2020). So the first n colours are a good choice for n
# labels. The colours for a dark background have the same hues and chromas with a suitable lightness.
DAY = [
    "#1d6ec9", "#d36614", "#1e6307", "#8a1e66", "#06a17e", "#b862be", "#7e3f05", "#025d6d",
    "#958d0e", "#b93c50", "#553aa2", "#7e83bf", "#b77282", "#8d662c", "#7e53bc", "#527e02",
    "#067d88", "#8c5b88", "#1194cc", "#5a5507", "#4d9f3a", "#b34a05", "#ab3f84", "#9271de",
    "#d95960", "#af7d4c", "#5983e9", "#6468a2", "#97182b", "#3f7e57", "#9c5954", "#cd5a97",
    "#71965d", "#3799a3", "#772a88", "#076246", "#01519f", "#6e3f6a", "#a576a7", "#6d7533",
    "#5f5fc8", "#9b47a1", "#37759e", "#0e853d", "#b97564", "#3c5d27", "#5e8dbe", "#c17510",
    "#ab8215", "#a15a08", "#d5587c", "#b43c6b", "#d85e40", "#288de5", "#787ae7", "#a769d0",
    "#11a35f", "#b93f31", "#749815", "#968a47", "#7a3b50", "#0b8071", "#6d4c00", "#985871",
    "#7b6199", "#985e3d", "#826d0f", "#683297", "#8d2e01", "#1298b8", "#92194f", "#549a76",
    "#065f5c", "#06597d", "#1a9e91", "#917db8", "#577a44", "#b07396", "#624377", "#4f6fa3",
    "#444d84", "#7c3e2f", "#737401", "#1174b5", "#118356", "#4893b5", "#c25faf", "#08642c",
    "#80257b", "#7059c3", "#914cad", "#a44393", "#4c65ca", "#3c5e01", "#308319", "#077a9b",
]  # fmt: skip
"""Colours for a light background, as ``#rrggbb``, ordered so that the first ones differ most."""

NIGHT = [
    "#58a0fa", "#cf630d", "#83d670", "#ff96d3", "#199c7b", "#b55fba", "#fea668", "#74cde2",
    "#928a05", "#f16f7e", "#bcb2fe", "#7b80bc", "#b46f7f", "#bf965d", "#ae84f2", "#7db138",
    "#10b3c1", "#bf8ab9", "#0691c9", "#c6c17c", "#4a9c36", "#ed7940", "#e271b5", "#8f6edb",
    "#d5565d", "#ac7b49", "#5680e6", "#9398d6", "#fea0a0", "#6faf86", "#d18882", "#ca5794",
    "#6e925a", "#3396a0", "#eb9afd", "#84d1af", "#91c1fe", "#dfa9da", "#a273a4", "#9ca563",
    "#8d90ff", "#cf78d5", "#68a6d1", "#43b966", "#b57261", "#a5cb90", "#5b8abb", "#bd7208",
    "#a87f0e", "#e58212", "#d25579", "#eb6f9a", "#d45b3d", "#2389e2", "#7577e3", "#a366cd",
    "#06a05c", "#f17260", "#71950e", "#938744", "#efa6bb", "#16b7a1", "#f3b01d", "#cb87a1",
    "#ab90cc", "#cc8e6b", "#b99c1b", "#d0a9fe", "#fea383", "#0795b4", "#ff9bba", "#519773",
    "#0bd9d1", "#6acafe", "#139a8e", "#8e7ab5", "#86ab72", "#ad7093", "#d0aeea", "#7e9fd7",
    "#acbaf8", "#f2a997", "#a5a604", "#2da6fa", "#1eba7d", "#4590b2", "#be5bac", "#66da85",
    "#f695ee", "#9e8afa", "#c37de2", "#d974c5", "#7a97fc", "#9bd25b", "#63b650", "#10aedb",
]  # fmt: skip
"""Colours of the same hues for a dark background."""
