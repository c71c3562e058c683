"""Tools that people use on functions and classes, run as they run them, on dispatched ones."""

import os
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

HOST = """
    '''A library that dispatches.'''

    from __future__ import annotations

    import functools
    import backstack

    dispatcher = backstack.BackendDispatcher(entrypoint_group="host.backends", host_name="host")


    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper


    @dispatcher.backend_dispatch
    def scale(data: list[float], factor: float = 2) -> list[float]:
        '''Multiply all.

        Parameters
        ----------
        data : list of float
            What to multiply.
        factor : float
            By what.

        Returns
        -------
        list of float
            The products.

        Examples
        --------
        >>> scale([1, 2])
        [2, 4]
        '''
        return [factor * x for x in data]


    @logged
    @dispatcher.backend_dispatch
    def shift(data, by=1):
        '''Add to all.

        Parameters
        ----------
        data : list of float
            What to add to.
        by : float
            What to add.

        Examples
        --------
        >>> shift([1, 2])
        [2, 3]
        '''
        return [x + by for x in data]


    @dispatcher.backend_class
    class Model:
        '''Hold a size.

        Parameters
        ----------
        size : int
            How much.

        Examples
        --------
        >>> Model(3).double()
        6
        '''

        def __init__(self, size: int) -> None:
            self.size = size

        def double(self) -> int:
            '''Twice.

            >>> Model(2).double()
            4
            '''
            return 2 * self.size

        @property
        def half(self):
            '''One half.'''
            return self.size / 2
    """


@pytest.fixture
def host(site):
    site.write({"toolhost.py": HOST})
    return site


def run(host, *command, cwd=None, expect=0):
    paths = [str(host.folder), *(path for path in sys.path if path)]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=cwd or host.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": ""},
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def test_pytest_collects_dispatched_tests_and_fixtures(host):
    host.write(
        {
            "test_it.py": """
                import pytest
                from toolhost import dispatcher
                dispatch = dispatcher.backend_dispatch

                @pytest.fixture
                @dispatch
                def number(tmp_path):
                    assert tmp_path.exists()
                    return 5

                @dispatch
                def test_with_a_fixture(number):
                    assert number == 5

                @pytest.mark.parametrize("x", [1, 2])
                @dispatch
                def test_parametrised(x, number):
                    assert x < number

                @dispatch
                @pytest.mark.parametrize("x", [3, 4])
                def test_marked_below(x):
                    assert x > 2

                @pytest.mark.xfail(strict=True)
                @dispatch
                def test_failing():
                    assert 0

                def test_parametrised_by_it():
                    assert [f.__name__ for f in dispatcher.functions.values()]
            """
        }
    )
    output = run(host, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "6 passed, 1 xfailed" in output


def test_doctests_are_collected(host):
    output = run(
        host,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--doctest-modules",
        "-rA",
        "toolhost.py",
    )
    for name in ("scale", "shift", "Model", "Model.double"):
        assert f"PASSED toolhost.py::toolhost.{name}\n" in output
    assert "4 passed" in output
    assert run(host, "-m", "doctest", "toolhost.py") == ""


def test_pydoc_on_the_command_line(host):
    output = run(host, "-m", "pydoc", "toolhost")
    assert "scale(data: 'list[float]', factor: 'float' = 2, *, backend=None)" in output
    assert "shift(data, by=1, *, backend=None)" in output
    assert "Model(size: 'int', *, backend=None)" in output
    assert output.count("backend : str, optional") >= 3
    assert "One half." in output


def test_sphinx_documents_functions_and_classes(host, tmp_path):
    pytest.importorskip("sphinx")
    docs, out = tmp_path / "docs", tmp_path / "out"
    docs.mkdir()
    (docs / "conf.py").write_text(
        "extensions = ['sphinx.ext.autodoc', 'sphinx.ext.autosummary', 'numpydoc',"
        " 'sphinx.ext.viewcode']\n"
        "autosummary_generate = True\nnumpydoc_show_class_members = False\n"
        "templates_path = ['templates']\n"
    )
    (docs / "index.rst").write_text(
        textwrap.dedent(
            """
            Host
            ====

            .. autosummary::
               :toctree: generated

               toolhost.scale
               toolhost.shift
               toolhost.Model

            .. automodule:: toolhost
               :members:
               :no-index:
            """
        )
    )
    run(host, "-m", "sphinx", "-W", "-q", "--keep-going", "-b", "text", str(docs), str(out))
    text = (out / "index.txt").read_text()
    assert "toolhost.scale(data: list[float], factor: float = 2, *, backend=None)" in text
    assert "toolhost.shift(data, by=1, *, backend=None)" in text
    assert "class toolhost.Model(size: int, *, backend=None)" in text
    assert "double()" in text
    assert "One half." in text
    assert text.count("**backend** : str, optional") >= 3 or text.count("backend : str, opt") >= 3
    pages = {path.stem for path in (out / "generated").iterdir()}
    assert pages == {"toolhost.scale", "toolhost.shift", "toolhost.Model"}
    assert "backend=None" in (out / "generated" / "toolhost.scale.txt").read_text()


IPYTHON = """
    import re
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    shell = InteractiveShell.instance()

    def cell(source):
        with capture_output() as shown:
            result = shell.run_cell(source)
        result.raise_error()
        return re.sub("\x1b[^m]*m", "", shown.stdout)  # colours

    cell("from toolhost import *; import toolhost")
    for name in ("scale", "Model"):
        text = cell(f"{name}?")
        assert "backend=None" in text, text
        assert "backend : str, optional" in text, text
        assert "toolhost.py" in text, text
    assert "return [factor * x for x in data]" in cell("scale??")
    assert "return 2 * self.size" in cell("Model??")
    assert "factor=" in [c.name_with_symbols for c in
        __import__("jedi").Interpreter("scale([1], ", [shell.user_ns]).complete()]

    # A cell that defines is run again, and the later definition holds.
    define = '''
    @dispatcher.backend_dispatch
    def inside(x):
        "Defined in a notebook."
        return x, {}

    @dispatcher.backend_class
    class Inside:
        "Defined in a notebook."
        value = {}
    '''
    for round in (1, 2):
        cell(define.format(round, round))
    shown = cell("print(inside(0), inside(0, backend='cpu'), Inside().value)")
    assert shown == "(0, 2) (0, 2) 2\\n", shown
    assert "return x, 2" in cell("inside??")
    assert "backend=None" in cell("Inside?")
    cell('''
    import pickle
    assert pickle.loads(pickle.dumps(inside)) is inside
    assert type(pickle.loads(pickle.dumps(Inside()))) is Inside
    ''')
    print("done")
"""


def test_ipython(host, run_python, tmp_path):
    pytest.importorskip("IPython")
    paths = [path for path in sys.path if path]
    script = f"import sys; sys.path[1:1] = {paths!r}\n" + textwrap.dedent(IPYTHON)
    (tmp_path / "session.py").write_text(script)
    assert run(host, "session.py", cwd=tmp_path).splitlines()[-1] == "done"


def test_functions_and_classes_of_a_script(host, run_python):
    output = run_python(
        """
        import inspect, pickle, copy
        from toolhost import dispatcher

        @dispatcher.backend_dispatch
        def f(x):
            "Of a script."
            return x

        @dispatcher.backend_class
        class C:
            "Of a script."
            def __init__(self, x):
                self.x = x

        print(inspect.getsource(f).splitlines()[1], inspect.getsource(C).splitlines()[1])
        print(f.__module__, C.__module__, inspect.signature(f), inspect.signature(C))
        assert pickle.loads(pickle.dumps(f)) is f and pickle.loads(pickle.dumps(C)) is C
        assert pickle.loads(pickle.dumps(C(5))).x == copy.deepcopy(C(5)).x == 5
        """,
        path=host.folder,
    )
    assert output.splitlines() == [
        "def f(x): class C:",
        "__main__ __main__ (x, *, backend=None) (x, *, backend=None)",
    ]


# -- scikit-learn --------------------------------------------------------------------------


def test_scikit_learn_clones_and_searches_a_dispatched_estimator(make_dispatcher):
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin, clone
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    class Nearest(ClassifierMixin, BaseEstimator):
        def __init__(self, shrink=0.0):
            self.shrink = shrink

        def fit(self, x, y):
            self.classes_ = np.unique(y)
            centres = np.stack([x[y == label].mean(axis=0) for label in self.classes_])
            self.centres_ = (1 - self.shrink) * centres + self.shrink * x.mean(axis=0)
            return self

        def predict(self, x):
            distances = ((x[:, None] - self.centres_) ** 2).sum(axis=2)
            return self.classes_[distances.argmin(axis=1)]

    class Fast(Nearest):
        pass

    def scores(estimator):
        pipeline = make_pipeline(StandardScaler(), estimator)
        search = GridSearchCV(pipeline, {f"{pipeline.steps[-1][0]}__shrink": [0.0, 0.5]}, cv=2)
        best = search.fit(*load_digits(return_X_y=True)).best_estimator_[-1]
        return search.cv_results_["mean_test_score"], type(best)

    expected, _ = scores(Nearest())
    dispatcher = make_dispatcher()
    model = dispatcher.backend_class(Nearest)
    assert model().get_params() == {"shrink": 0.0}
    assert repr(model(shrink=0.5)) == "Nearest(shrink=0.5)"
    found, kind = scores(model())
    assert kind is model
    assert found.tolist() == expected.tolist()
    dispatcher.register(SimpleNamespace(name="fast", Nearest=Fast))
    fast = model(shrink=0.25, backend="fast")
    assert (type(clone(fast)), clone(fast).get_params()) == (Fast, {"shrink": 0.25})
    with dispatcher.backend("fast"):
        # `clone` constructs, so it follows the choice that is in force.
        assert type(clone(clone(model(backend="cpu")))) is Fast
        assert scores(model(backend="cpu"))[1] is Fast
