"""What a photograph can be given as, and many of them; on the whole pipeline."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fundoscope
from fundoscope import phantom
from fundoscope.errors import PhotoError, UsageError
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader
from fundoscope.reading import Reading


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(lesions=False)


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    """A drawn eye whose sides are no multiples of a JPEG's block, larger than a grader needs."""
    pixels = phantom.draw(PhantomSpec(seed=3, width=1010, height=667, shape=("clipped",)))[0]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@pytest.fixture
def path(jpeg: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "eye.jpg"
    path.write_bytes(jpeg)
    return path


def test_a_photograph_has_one_reading_whatever_it_is_given_as(
    reader: Reader, path: Path, jpeg: bytes
) -> None:
    expected = reader.read(path)
    assert expected.grade.icdr is not None
    picture = Image.open(io.BytesIO(jpeg))
    with path.open("rb") as file:
        given: list[Any] = [str(path), jpeg, bytearray(jpeg), file, picture, np.array(picture)]
        for source in given:
            reading = reader.read(source)
            assert reading.grade == expected.grade, type(source)
            assert reading.field == expected.field, type(source)


def test_a_png_of_the_same_pixels_has_the_same_reading(
    reader: Reader, jpeg: bytes, tmp_path: Path
) -> None:
    Image.open(io.BytesIO(jpeg)).save(tmp_path / "eye.png")
    assert reader.read(tmp_path / "eye.png").grade == reader.read(jpeg).grade


def test_a_turned_jpeg_and_its_upright_pixels_have_the_same_reading(
    reader: Reader, jpeg: bytes
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(buffer, "JPEG", quality=90, exif=exif)
    turned = Image.open(buffer)
    assert reader.read(turned).grade == reader.read(buffer.getvalue()).grade
    assert reader.read(turned).photo.width == 667


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (["a.jpg", "b.jpg"], "read_many"),
        (("a.jpg",), "read_many"),
        (io.StringIO("text"), "mode 'rb'"),
        (None, "not NoneType"),
        (7, "not int"),
    ],
)
def test_what_is_not_a_photograph_is_refused_with_what_is(
    reader: Reader, source: Any, words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        reader.read(source)


def test_what_fails_while_it_is_read_is_refused_in_words(reader: Reader, jpeg: bytes) -> None:
    """A picture that PIL opened and did not read yet, and a file on a disk that fails."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error", size)

    cut = Image.open(io.BytesIO(jpeg[: len(jpeg) // 2]))
    for source in (cut, Failing()):
        with pytest.raises(PhotoError, match="cannot be read"):
            reader.read(source)


def test_a_picture_with_more_than_eight_bits_is_refused(reader: Reader) -> None:
    with pytest.raises(PhotoError, match="path of its file"):
        reader.read(Image.new("I;16", (400, 400)))


def test_many_photographs_come_in_their_order(reader: Reader, path: Path, jpeg: bytes) -> None:
    results = list(reader.read_many([path, b"hello", jpeg], workers=2))
    assert [type(result) for result in results] == [Reading, PhotoError, Reading]
    assert results[0] == reader.read(path)
    with pytest.raises(PhotoError):
        list(reader.read_many([path, b"hello", jpeg], raise_refusals=True))
    with pytest.raises(TypeError, match="one photograph"):
        list(reader.read_many(str(path)))
    assert list(reader.read_many([])) == []


def test_a_generator_may_close_or_reuse_what_it_gave(
    reader: Reader, path: Path, jpeg: bytes
) -> None:
    """Photographs are read a few ahead, on other threads."""
    pixels = np.array(Image.open(io.BytesIO(jpeg)))
    others = [pixels, pixels[:, ::-1], pixels[::-1]]
    expected = [reader.read(each) for each in others]

    def one_array() -> Iterator[Any]:
        array = np.empty_like(pixels)
        for each in others:
            array[:] = each
            yield array

    def files() -> Iterator[Any]:
        for _ in others:
            with path.open("rb") as file:
                yield file

    def pictures() -> Iterator[Any]:
        for _ in others:
            with Image.open(path) as picture:
                yield picture

    assert list(reader.read_many(one_array())) == expected
    for given in (files(), pictures()):
        assert [each.grade for each in reader.read_many(given)] == 3 * [expected[0].grade]


def test_what_is_no_photograph_ends_the_iteration_in_its_turn(reader: Reader, path: Path) -> None:
    results = reader.read_many([path, path, None])
    assert [type(next(results)) for _ in range(2)] == [Reading, Reading]
    with pytest.raises(TypeError, match="a photograph is"):
        next(results)


def test_one_photograph_is_not_taken_for_many(reader: Reader, path: Path, jpeg: bytes) -> None:
    picture = Image.open(path)
    for one in (path, jpeg, picture, np.array(picture), io.BytesIO(jpeg)):
        with pytest.raises(TypeError, match="one photograph"):
            next(reader.read_many(one))


def test_an_array_may_hold_paths(reader: Reader, path: Path) -> None:
    for kind in (str, object):
        given = np.array([str(path), str(path)], dtype=kind)
        assert len(list(reader.read_many(given))) == 2


def test_an_error_of_an_open_file_comes_in_its_turn(
    reader: Reader, path: Path, jpeg: bytes
) -> None:
    cut = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(jpeg)[:-100]))
    results = reader.read_many([path, cut])
    assert isinstance(next(results), Reading)
    with pytest.raises(EOFError):
        next(results)


def test_a_file_that_was_read_already_is_not_called_empty(reader: Reader, jpeg: bytes) -> None:
    file = io.BytesIO(jpeg)
    reader.read(file)
    with pytest.raises(PhotoError, match="nothing left to read"):
        reader.read(file)
    file.close()
    with pytest.raises(PhotoError, match="cannot be read"):
        reader.read(file)


def test_a_picture_too_large_for_memory_is_refused_before_it_is_decoded(reader: Reader) -> None:
    with pytest.raises(PhotoError, match="million"):
        reader.read(Image.new("1", (20_000, 9_000)))


def test_a_photograph_that_memory_cannot_hold_does_not_end_the_others(
    reader: Reader, path: Path, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reader.read

    def poor(self: Reader, source: object, **options: object) -> Reading:
        if source is path:
            raise MemoryError
        return read(self, source, **options)

    monkeypatch.setattr(Reader, "read", poor)
    refused, reading = reader.read_many([path, jpeg])
    assert isinstance(refused, PhotoError)
    assert (refused.code, refused.what) == ("out_of_memory", path.name)
    assert isinstance(reading, Reading)


def test_a_reading_as_a_dictionary(reader: Reader, path: Path) -> None:
    reading = reader.read(path)
    assert reading.to_dict() == json.loads(reading.to_json())
    assert reading.to_dict()["grade"]["icdr"] == reading.grade.icdr


def test_the_threshold_decides_what_is_referable(path: Path, reader: Reader) -> None:
    probability = reader.read(path).grade.referable
    assert probability is not None
    for threshold in (probability.probability / 2, min(1.0, probability.probability * 2)):
        moved = Reader(lesions=False, referable_threshold=threshold)
        assert moved.referable_threshold == threshold
        referable = moved.read(path).grade.referable
        assert referable is not None
        assert referable.threshold == threshold
        assert referable.positive == (probability.probability >= threshold)
    for wrong in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="not a probability"):
            Reader(referable_threshold=wrong)


def test_the_processor_is_a_provider_and_an_unknown_one_is_refused(path: Path) -> None:
    for name in ("cpu", "CPU", "CPUExecutionProvider"):
        assert Reader(lesions=False, providers=[name]).read(path).grade.icdr is not None
    with pytest.raises(UsageError, match=r"abacus: is not available .* cpu"):
        Reader(providers=["abacus"])
    with pytest.raises(UsageError, match="AzureExecutionProvider: is not available"):
        Reader(providers=["AzureExecutionProvider"])


def test_a_reading_is_drawn_on_its_photograph(reader: Reader, path: Path, jpeg: bytes) -> None:
    reading = reader.read(path)
    drawn = fundoscope.draw(path, reading)
    assert drawn.mode == "RGB"
    assert drawn.width >= 720
    assert np.array_equal(np.array(drawn), np.array(fundoscope.draw(jpeg, reading)))
    with pytest.raises(ValueError, match="another photograph"):
        fundoscope.draw(np.zeros((100, 100, 3), np.uint8), reading)


def test_a_reading_is_not_drawn_on_another_photograph_of_the_same_size(
    reader: Reader, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jpg"
    with Image.open(path) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    with pytest.raises(ValueError, match="is another file"):
        fundoscope.draw(other, reader.read(path))


def test_a_path_that_cannot_be_one_is_a_refusal(reader: Reader) -> None:
    refusals = list(reader.read_many(["a\0b", "https://clinic.example/eye.jpg"]))
    assert [type(refusal) for refusal in refusals] == [PhotoError, PhotoError]
    assert "is an address, not a file" in str(refusals[1])
