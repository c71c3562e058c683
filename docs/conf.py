"""How Sphinx builds the documentation: ``python -m sphinx -b html docs OUT``."""

import backstack

project = "backstack"
author = "The backstack developers"
copyright = author  # noqa: A001  the name that Sphinx wants
version = release = backstack.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
]
exclude_patterns = ["_build", "costs/*.md", "examples"]
default_role = "code"
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# Types are in the docstrings.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "backstack"
html_show_sourcelink = False
html_sidebars = {"**": []}  # few pages, all in the navigation bar
html_theme_options = {
    "footer_start": [],
    "footer_end": [],
    "header_links_before_dropdown": 10,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
