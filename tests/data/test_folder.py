import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_ssl import data


def write(path, shape=(6, 8), value=None, seed=0, **options):
    """Writes an image of random pixels or of one value, and returns the pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*shape, 3), dtype="uint8")
    if value is not None:
        pixels[:] = value
    Image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def pets(tmp_path):
    """Two classes of four images; all pixels of image i are 10 * i; 0 to 3 are cats."""
    for i in range(8):
        write(tmp_path / ("cat" if i < 4 else "dog") / f"{i}.png", value=10 * i)
    return tmp_path


def values_and_labels(dataset):
    return [(int(image[0, 0, 0]), int(label)) for image, label in dataset.as_numpy_iterator()]


def test_sub_folders_are_classes_in_alphabetical_order(pets):
    assert values_and_labels(data.load(pets)) == [(10 * i, int(i >= 4)) for i in range(8)]
    assert data.load(str(pets)).element_spec == (
        tf.TensorSpec((6, 8, 3), tf.uint8),
        tf.TensorSpec((), tf.int64),
    )
    assert data.load(pets).cardinality() == 8


def test_loaded_pixels_are_equal_to_those_of_the_file(tmp_path):
    expected = write(tmp_path / "a.PNG")
    (image,) = data.load(tmp_path).as_numpy_iterator()
    np.testing.assert_array_equal(image, expected)


def test_a_flat_folder_has_no_labels(tmp_path):
    for i in range(4):
        write(tmp_path / f"{i}.jpg", seed=i)
    assert data.load(tmp_path).element_spec == tf.TensorSpec((6, 8, 3), tf.uint8)


def test_images_next_to_class_folders_warn_and_drop_the_labels(pets):
    write(pets / "stray.png")
    with pytest.warns(UserWarning, match="1 of 9 images .* outside its sub-folders"):
        dataset = data.load(pets)
    assert isinstance(dataset.element_spec, tf.TensorSpec)


def test_train_and_test_sub_folders_are_splits(tmp_path):
    for i, split in enumerate(("train", "train", "val")):
        write(tmp_path / split / "cat" / f"{i}.png", value=i)
    train, test = data.load_train_and_test(tmp_path)
    assert values_and_labels(train) == [(0, 0), (1, 0)]
    assert values_and_labels(test) == [(2, 0)]
    with pytest.raises(ValueError, match=r"'dev' is not a sub-folder .* \['train', 'val'\]"):
        data.load(tmp_path, split="dev")


def test_held_out_images_stay_held_out_when_images_are_added(tmp_path):
    for i in range(40):
        write(tmp_path / f"{i}.png", value=i)

    def split():
        parts = data.load_train_and_test(tmp_path)
        return [{int(image[0, 0, 0]) for image in part.as_numpy_iterator()} for part in parts]

    train, test = split()
    assert train | test == set(range(40))
    assert not train & test
    assert 3 <= len(test) <= 15
    for i in range(40, 60):
        write(tmp_path / f"{i}.png", value=i)
    more_train, more_test = split()
    assert train < more_train
    assert test < more_test


def test_corrupt_files_are_named_in_one_warning_and_skipped(pets):
    png = (pets / "cat" / "0.png").read_bytes()
    write(pets / "cat" / "intact.jpg")
    jpeg = (pets / "cat" / "intact.jpg").read_bytes()
    contents = {
        "a_empty.png": b"",
        "b_cut.png": png[:40],
        "c_cut.jpg": jpeg[: len(jpeg) // 2],
        "d_text.jpg": b"no image",
    }
    for name, content in contents.items():
        (pets / "dog" / name).write_bytes(content)
    with pytest.warns(UserWarning, match="cannot be decoded") as record:
        dataset = data.load(pets)
    assert [str(w.message) for w in record] == [
        f"4 of 13 files of {str(pets)!r} cannot be decoded as images: dog/a_empty.png, "
        "dog/b_cut.png, dog/c_cut.jpg, dog/d_text.jpg. They are skipped."
    ]
    assert dataset.cardinality() == len(values_and_labels(dataset)) == 9
    with pytest.raises(ValueError, match=r"4 of 13 files .* dog/a_empty\.png"):
        data.load(pets, corrupt="error")


def test_an_image_too_large_for_memory_is_skipped(pets):
    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    size = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)  # 30 GB of pixels
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    (pets / "dog" / "huge.png").write_bytes(png + chunk(b"IEND", b""))
    with pytest.warns(UserWarning, match=r"1 of 9 files .* dog/huge\.png"):
        assert data.load(pets).cardinality() == 8


def test_unreadable_folders_are_named_in_a_warning(pets, monkeypatch):
    scan = os.scandir

    def scan_or_raise(path):
        if os.fspath(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_or_raise)
    with pytest.warns(UserWarning, match=r"that cannot be read: .*dog\. Their images"):
        assert data.load(pets).cardinality() == 4


def test_a_folder_with_only_corrupt_files_is_rejected(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="1 of 1 files"):
        data.load(tmp_path)


def test_all_common_image_formats_load_as_uint8_with_three_channels(tmp_path, rng):
    gray = rng.integers(0, 256, (6, 8), dtype="uint8")
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(rng.integers(0, 256, (6, 8, 4), dtype="uint8")).save(tmp_path / "rgba.png")
    Image.fromarray(rng.integers(0, 2**16, (6, 8)).astype("uint16")).save(tmp_path / "deep.png")
    Image.fromarray(gray).convert("CMYK").save(tmp_path / "cmyk.jpg")
    Image.fromarray(gray).convert("P").save(
        tmp_path / "animated.gif",
        save_all=True,
        append_images=[Image.fromarray(gray.T.reshape(6, 8))],
    )
    Image.fromarray(gray).save(tmp_path / "bitmap.bmp")
    write(tmp_path / "right.jpg")
    (tmp_path / "named_wrongly.png").write_bytes((tmp_path / "right.jpg").read_bytes())
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    images = list(data.load(tmp_path).as_numpy_iterator())
    assert len(images) == 8
    assert all(image.shape == (6, 8, 3) and image.dtype == "uint8" for image in images)


def test_load_rejects_images_of_several_sizes_without_image_size(pets):
    write(pets / "cat" / "big.png", shape=(20, 30))
    with pytest.raises(ValueError, match="heights from 6 to 20, widths from 8 to 30"):
        data.load(pets)
    assert data.load(pets, image_size=4).element_spec[0].shape == (4, 4, 3)


def test_a_folder_without_images_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="has no image: no file ends in"):
        data.load(tmp_path)
