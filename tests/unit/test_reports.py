"""Records as tables: what all of them have in common, whatever they tell."""

import json
import warnings
from types import SimpleNamespace

import pytest

import backstack


def read_text(text):
    """The cells of each row of a table in text, by where its columns are."""
    head, rule, *lines = text.splitlines()
    assert set(rule) == {"-", " "}
    starts = [i for i in range(len(rule)) if rule[i] == "-" and (i == 0 or rule[i - 1] == " ")]
    ends = [*starts[1:], None]
    for line in (head, *lines):
        assert line == line.rstrip()
        for start in starts[1:]:
            assert line[start - 2 : start].strip() == ""
    return [
        [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        for line in (head, *lines)
    ]


@pytest.fixture
def dispatcher(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", aliases=["A", "one"], f=lambda x=0: "a"))
    dispatcher.register(SimpleNamespace(name="lacks"))
    dispatcher.register(
        SimpleNamespace(name="off", is_available=lambda: "no <b> & no\n\n  'device' | \"one\"")
    )
    return dispatcher


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f(x=0, y=1):
        return "cpu"

    return f


@pytest.fixture
def calls(dispatcher, f):
    """A few calls of every sort."""
    with dispatcher.trace() as calls, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f()
        f(1, y=2, backend="a")
        f(backend="lacks")
        with dispatcher.backend("off", "a"):
            f()
        with pytest.raises(backstack.UnknownBackendError):
            f(backend="<i>&")
    return calls


@pytest.fixture
def tables(dispatcher, calls):
    return {"backends": dispatcher.backends(), "calls": calls, "summary": calls.summary()}


TABLES = ["backends", "calls", "summary"]


@pytest.mark.parametrize("which", TABLES)
def test_text_and_html_show_the_same(tables, which, read_html):
    table = tables[which]
    rows = read_text(repr(table))
    assert rows == read_html(table._repr_html_()).rows
    assert str(table) == repr(table)
    assert len(rows) == len(table) + 1
    assert set(rows[0]) <= set(table.columns)


@pytest.mark.parametrize("which", TABLES)
def test_the_records_as_dictionaries_go_into_json(tables, which):
    table = tables[which]
    told = json.loads(json.dumps(table.as_dicts()))
    assert len(told) == len(table)
    assert told == [json.loads(json.dumps(record.as_dict())) for record in table]
    for row in told:
        assert set(table.columns) <= set(row)


@pytest.mark.parametrize("which", TABLES)
def test_columns_with_nothing_in_them_are_left_out_of_what_is_shown(tables, which):
    table = tables[which]
    empty = {
        column
        for column in table.columns
        if all(row[column] in (None, (), "") for row in table.as_dicts())
    }
    assert read_text(repr(table))[0] == [c for c in table.columns if c not in empty]


def test_which_columns_those_are(tables):
    assert "version" not in read_text(repr(tables["backends"]))[0]
    assert "dropped" in read_text(repr(tables["calls"]))[0]
    assert "where" in read_text(repr(tables["calls"]))[0]
    assert read_text(repr(tables["summary"]))[0] == list(tables["summary"].columns)


def test_a_text_of_several_lines_is_shown_on_one(dispatcher, read_html):
    with pytest.raises(backstack.BackendUnavailableError):
        dispatcher.backend("off").__enter__()
    table = dispatcher.backends()
    assert len(repr(table).splitlines()) == 5
    (reason,) = [record.reason for record in table if record.name == "off"]
    assert "\n" in reason  # the record has it as it was
    assert "no <b> & no 'device' | \"one\"" in repr(table)
    assert any(
        "no <b> & no 'device' | \"one\"" in row for row in read_html(table._repr_html_()).rows
    )


def test_markup_is_escaped(tables, read_html):
    assert "<i>" not in tables["calls"]._repr_html_()
    assert any("<i>&" in row for row in read_html(tables["calls"]._repr_html_()).rows)


def test_several_names_in_one_cell(tables):
    rows = read_text(repr(tables["backends"]))
    (row,) = [row for row in rows if row[0] == "a"]
    assert "A, one" in row


@pytest.mark.parametrize("which", ["backends", "summary"])
def test_a_table_is_a_tuple_of_its_records(tables, which):
    table = tables[which]
    assert isinstance(table, tuple)
    assert list(table) == [table[i] for i in range(len(table))]
    assert table[0] in table
    assert table == tuple(table)
    assert hash(table) == hash(tuple(table))
    assert isinstance(repr(table[0]), str)


def test_without_records(make_dispatcher):
    dispatcher = make_dispatcher()
    with dispatcher.trace() as calls:
        pass
    for table, nothing in [
        (dispatcher.backends(), "No backends are installed."),
        (calls, "No calls."),
        (calls.summary(), "No calls."),
    ]:
        assert repr(table) == nothing
        assert table._repr_html_() == f"<p>{nothing}</p>"
        assert table.as_dicts() == []


def test_a_data_frame_can_be_made_of_them(tables):
    pandas = pytest.importorskip("pandas")
    for table in tables.values():
        frame = pandas.DataFrame(table.as_dicts())
        assert len(frame) == len(table)
        assert set(table.columns) <= set(frame.columns)
