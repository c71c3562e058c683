"""How Sphinx builds the documentation: ``python -m sphinx -b html docs OUT``."""

from docutils import nodes
from sphinx.application import Sphinx

import backstack

project = "backstack"
author = "The backstack developers"
copyright = author  # noqa: A001  the name that Sphinx wants
version = release = backstack.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
]
# What is typed, without prompts, output and tracebacks.
copybutton_exclude = ".linenos, .gp, .go, .gt, .gr"
exclude_patterns = ["_build", "costs/*.md", "examples"]
default_role = "code"
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# Types are in the docstrings.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "backstack"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_sidebars = {"**": ["globaltoc"]}  # all pages: too many for the bar at the top
html_theme_options = {
    "article_header_start": [],
    "footer_start": [],
    "footer_end": [],
    "globaltoc_maxdepth": 1,
    "navbar_center": [],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}


def setup(app: Sphinx) -> None:
    """Show examples without the empty line that doctest needs at their end."""
    app.connect("doctree-read", _strip_examples)


def _strip_examples(app: Sphinx, doctree: nodes.document) -> None:
    for block in doctree.findall(nodes.literal_block):
        text = block.astext().rstrip()
        block.rawsource, block[:] = text, [nodes.Text(text)]
