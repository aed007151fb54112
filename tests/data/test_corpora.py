"""Corpora: what is loaded, that it is what was published, and what bad input says."""

import inspect
import json
import subprocess
import sys

import keras
import pytest

from kit import paths
from kit.data import corpora, docs
from kit.data.corpora import Corpus, found_corpora, load_corpus, split_documents
from kit.errors import KitError

BUILD = """
import sys, time
from kit.data.corpora import load_corpus
start = time.process_time()
corpus = load_corpus("docs")
heavy = {"keras", "tensorflow", "jax", "matplotlib"} & set(sys.modules)
print(time.process_time() - start, corpus.fingerprint, *heavy)
"""


@pytest.fixture(scope="session")
def built(session_cache):
    """Seconds, fingerprint and imported packages of a first build elsewhere."""
    environment = {
        "KIT_CACHE": str(session_cache),
        "PYTHONPATH": str(paths.PACKAGE.parent),
    }
    run = subprocess.run(
        [sys.executable, "-c", BUILD],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


@pytest.mark.slow
def test_docs_are_built_in_time_without_importing_what_they_document(built):
    seconds, _, *imported = built
    assert float(seconds) < 20
    assert imported == []


@pytest.mark.slow
def test_docs_are_the_same_text_when_read_from_the_cache(built, monkeypatch):
    monkeypatch.setattr(docs, "build_documents", lambda: pytest.fail("built again"))
    assert load_corpus("docs").fingerprint == built[1]


@pytest.mark.slow
def test_docs_are_megabytes_of_plain_english(built):
    corpus = load_corpus("docs")
    text = "".join(corpus.documents)
    assert len(text) > 3_000_000
    assert set(text) <= {"\n", *map(chr, range(32, 127))}
    words = [text.lower().count(f" {word} ") for word in ("the", "of", "is", "to")]
    assert sum(words) > 0.08 * len(text.split())
    assert ">>>" not in text and "```" not in text
    assert all(package in corpus.source for package in docs.PACKAGES)


@pytest.mark.slow
def test_docs_repeat_no_paragraph(built):
    documents = load_corpus("docs").documents
    paragraphs = "\n\n".join(text.rstrip("\n") for text in documents).split("\n\n")
    assert len(set(paragraphs)) > 0.999 * len(paragraphs)


def test_a_broken_cache_is_built_again(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    monkeypatch.setattr(docs, "build_documents", lambda: ("one\n", "two\n"))
    first = load_corpus("docs")
    file = docs.cache_file()
    whole = file.read_text()
    for broken in (whole[:20], json.dumps({"documents": ["x"], "sha256": "0"}), "{}"):
        file.write_text(broken)
        assert load_corpus("docs") == first
        assert file.read_text() == whole
    assert list(tmp_path.rglob("tmp*")) == []


def test_other_versions_are_another_text(monkeypatch):
    here = docs.cache_file()
    monkeypatch.setattr(docs, "CLEANING_VERSION", "other")
    assert docs.cache_file() != here


def test_a_documented_package_that_is_missing_says_so(monkeypatch):
    monkeypatch.setattr(docs, "PACKAGES", ("no_such_package",))
    with pytest.raises(KitError, match="pip install no_such_package"):
        load_corpus("docs")


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (
            "Sums \u201call\u201d na\u00efve \u2014 values",
            'Sums "all" naive  -  values',
        ),
        ("Prose first.\n>>> code()\noutput", "Prose first."),
        ("A table\n=======\n1 | 2 | 3", "A table"),
        (".. note:: directive\nPlain words follow", "Plain words follow"),
        ("Plain words.\n\nPlain words.", "Plain words."),
        ("x = f(a[0])\ny = g(b[1])", ""),
        ("Before\n\n```python\nx = 1\n```\n\nAfter it", "Before\n\nAfter it"),
    ],
)
def test_cleaning_keeps_prose(raw, cleaned):
    assert docs.clean(raw) == cleaned


def test_docstrings_are_those_that_python_sees():
    source = 'def f():\n    r"""One\n\n      two."""\nx = "no docstring"\n'
    source += 'add_newdoc("module", "name", """Text of\n    a ufunc.""")\n'
    namespace = {"add_newdoc": lambda *_: None}
    exec(source, namespace)
    expected = ["", inspect.getdoc(namespace["f"]), "Text of\na ufunc."]
    assert list(docs.docstrings(source)) == expected


def test_a_line_with_the_marker_ends_a_document():
    text = "a <|endoftext|> b\n<|endoftext|>\n\n<|endoftext|>\n  c\n<|endoftext|>"
    assert split_documents(text) == ("a <|endoftext|> b\n", "  c\n")


def test_any_text_file_by_its_path(tmp_path):
    file = tmp_path / "caf\u00e9.txt"
    file.write_bytes("\ufeffun caf\u00e9\r\ndeux\r\n<|endoftext|>\r\ntrois\n".encode())
    corpus = load_corpus(file)
    assert corpus.documents == ("un caf\u00e9\ndeux\n", "trois\n")
    assert load_corpus(str(file)).fingerprint == corpus.fingerprint
    assert corpus.name == str(file)


def test_the_fingerprint_is_that_of_the_text_and_its_parts():
    one = Corpus("a", ("x", "y"))
    assert one.fingerprint == Corpus("b", ("x", "y"), "elsewhere").fingerprint
    others = [
        Corpus("a", ("xy",)),
        Corpus("a", ("y", "x")),
        Corpus("a", ("x", "y"), "", 1),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"line one\ncaf\xe9 noir\n", r"not UTF-8: byte 12 \(line 2\) is 0xe9"),
        (b"\x89PNG\x00\x01", "is binary: byte 4 is zero"),
        ("text".encode("utf-16"), "is binary"),
    ],
)
def test_a_file_that_is_no_text_says_why(content, message, tmp_path):
    file = tmp_path / "file.txt"
    file.write_bytes(content)
    with pytest.raises(KitError, match=message):
        load_corpus(file)


def test_a_folder_or_nothing_says_so(tmp_path):
    with pytest.raises(KitError, match="is a folder"):
        load_corpus(tmp_path)
    with pytest.raises(KitError, match="no corpus and no file.*docs, tinyshakespeare"):
        load_corpus("tinyshakespear")


def test_offline_shakespeare_names_both_ways(monkeypatch, tmp_path):
    def offline(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(KitError) as error:
        load_corpus("tinyshakespeare")
    for part in (str(tmp_path), "URL fetch failure", "internet", "$KIT_DATA/tiny"):
        assert part in str(error.value)


def test_shakespeare_is_asked_for_by_its_hash(monkeypatch, tmp_path):
    """What the download gets is what the cache is searched for next time."""
    text = "a stand-in for the plays\n"
    digest = corpora.hashlib.sha256(text.encode()).hexdigest()
    asked = []

    def download(name, origin, file_hash, cache_subdir, cache_dir):
        asked.append((origin, file_hash))
        file = tmp_path / cache_subdir / name
        file.parent.mkdir()
        file.write_text(text)
        return str(file)

    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", digest)
    monkeypatch.setattr(keras.utils, "get_file", download)
    assert found_corpora()["tinyshakespeare"] is None
    assert load_corpus("tinyshakespeare") == load_corpus("tinyshakespeare")
    assert asked == [(corpora.SHAKESPEARE_URL, digest)]
    assert found_corpora()["tinyshakespeare"] is not None


def test_another_text_is_not_taken_for_shakespeare(monkeypatch, tmp_path):
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("To be or not.\n")
    monkeypatch.setenv("KIT_DATA", str(tmp_path))
    with pytest.raises(KitError, match="is not the usual tinyshakespeare"):
        load_corpus("tinyshakespeare")


@pytest.mark.parametrize("name", corpora.PUBLISHED)
def test_a_published_corpus_without_data_says_where_it_is_read(
    name, tmp_path, monkeypatch
):
    with pytest.raises(KitError, match=f"KIT_DATA, which is not set.*{name}/train.txt"):
        load_corpus(name)
    monkeypatch.setenv("KIT_DATA", str(tmp_path))
    with pytest.raises(KitError, match=f"which is {tmp_path}"):
        load_corpus(name)


@pytest.mark.parametrize("name", ["tinyshakespeare", *corpora.PUBLISHED])
def test_a_data_folder_that_is_none_is_refused_by_all_that_read_it(
    name, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("no folder")
    for value in (tmp_path / "gone", tmp_path / "file"):
        monkeypatch.setenv("KIT_DATA", str(value))
        with pytest.raises(KitError, match=f"KIT_DATA={value} is no folder. Correct"):
            load_corpus(name)


def test_shakespeare_is_the_published_file(kit_data):
    corpus = load_corpus("tinyshakespeare")
    assert corpus.characters == 1_115_394
    assert len(set(corpus.documents[0])) == 65


@pytest.mark.parametrize(
    ("name", "training", "validation"),
    [("classic_children", 570, 30), ("tinystories_sample", 1060, 1)],
)
def test_published_parts_are_kept(kit_data, name, training, validation):
    corpus = load_corpus(name)
    assert corpus.num_validation == validation
    assert len(corpus.documents) == training + validation
    assert found_corpora()[name] == kit_data / name
    last = (kit_data / name / "valid.txt").read_text()
    assert corpus.documents[-1].strip() in last


def test_a_cache_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("KIT_CACHE", str(blocked))
    monkeypatch.setattr(docs, "build_documents", lambda: ("one\n",))
    with pytest.raises(KitError, match="cannot be written.*KIT_CACHE"):
        load_corpus("docs")
