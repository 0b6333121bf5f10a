"""CIFAR's four layouts, byte for byte as their authors wrote them, with few images; torchvision as the oracle."""

import pickle
import struct

import numpy as np
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.cifar import BATCHES, read_cifar10, read_cifar100
from gauntlet.readers.pickled_tables import read_pickled_table

NAMES = [f"thing{number}" for number in range(10)]
NAMES_100 = [f"thing{number}" for number in range(100)]


def images(count, *, classes, seed):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 3072), np.uint8), np.arange(count) % classes


def python2_batch(x, labels, *, key=b"labels"):
    """Write the steps that Python 2's cPickle wrote with protocol 2, byte strings and old numpy names included."""

    def short(text):
        return b"U" + bytes([len(text)]) + text

    whole = b"K" + bytes([len(x)]) if len(x) < 256 else b"M" + struct.pack("<H", len(x))
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07"
        + b"(K\x01" + whole + b"M\x00\x0c\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09"
        + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + b"T" + struct.pack("<i", x.size) + x.tobytes() + b"tb"
    )  # fmt: skip
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    return b"\x80\x02}q\x01(" + short(b"data") + array + short(key) + b"]q\x0a(" + numbers + b"eu."


def protocol0_names(names):
    listed = "".join(f"S'{name}'\np{number + 4}\na" for number, name in enumerate(names))
    return f"(dp1\nS'label_names'\np2\n(lp3\n{listed}sS'num_vis'\np99\nI3072\ns.".encode()


def write_python(folder, *, python2):
    place = folder / "cifar-10-batches-py"
    place.mkdir(parents=True)
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        x, labels = images(20, classes=10, seed=seed)
        table = {b"data": x, b"labels": labels.tolist(), b"batch_label": b"some batch"}
        (place / name).write_bytes(python2_batch(x, labels.tolist()) if python2 else pickle.dumps(table, 2))
    meta = protocol0_names(NAMES) if python2 else pickle.dumps({"label_names": NAMES, "num_vis": 3072}, 4)
    (place / "batches.meta").write_bytes(meta)
    return folder


def write_binary(folder):
    place = folder / "cifar-10-batches-bin"
    place.mkdir(parents=True)
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        x, labels = images(20, classes=10, seed=seed)
        np.concatenate([labels[:, None].astype(np.uint8), x], 1).tofile(place / f"{name}.bin")
    (place / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    return folder


def write_cifar100(folder, *, binary):
    place = folder / ("cifar-100-binary" if binary else "cifar-100-python")
    place.mkdir(parents=True)
    for seed, name in enumerate(["train", "test"]):
        x, fine = images(200, classes=100, seed=seed)
        if binary:
            np.concatenate([(fine // 5)[:, None], fine[:, None], x], 1).astype(np.uint8).tofile(place / f"{name}.bin")
        else:
            table = {"data": x, "fine_labels": fine.tolist(), "coarse_labels": (fine // 5).tolist()}
            (place / name).write_bytes(pickle.dumps(table, 2))
    (place / "fine_label_names.txt").write_text("\n".join(NAMES_100) + "\n")
    (place / "meta").write_bytes(pickle.dumps({"fine_label_names": NAMES_100, "coarse_label_names": NAMES}, 2))
    return folder


@pytest.fixture(params=["python2", "python3", "binary"])
def cifar10(request, tmp_path):
    return (
        write_binary(tmp_path)
        if request.param == "binary"
        else write_python(tmp_path, python2=request.param == "python2")
    )


def test_every_layout_gives_the_images(cifar10):
    test = read_cifar10(cifar10, "test")
    x, labels = images(20, classes=10, seed=5)
    assert (test.x == x.reshape(20, 3, 32, 32).transpose(0, 2, 3, 1)).all()
    assert test.labels.tolist() == labels.tolist()
    assert test.class_names == NAMES


def test_the_held_out_split_comes_from_the_training_batches(cifar10):
    train, val = (read_cifar10(cifar10, split, held_out=30) for split in ("train", "val"))
    assert (len(train), len(val)) == (70, 30)
    assert np.bincount(val.labels).tolist() == [3] * 10
    batches = np.concatenate([images(20, classes=10, seed=seed)[0] for seed in range(5)])
    both = np.concatenate([train.tensors().x.flatten(1), val.tensors().x.flatten(1)])
    assert sorted(map(bytes, both)) == sorted(map(bytes, batches))


def test_torchvision_reads_the_same(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    theirs = CIFAR10(write_python(tmp_path, python2=True), train=False)
    ours = read_cifar10(tmp_path, "test")
    assert (ours.x == theirs.data).all()
    assert ours.labels.tolist() == theirs.targets


@pytest.mark.parametrize("binary", [True, False])
def test_cifar100_has_its_fine_labels(tmp_path, binary):
    test = read_cifar100(write_cifar100(tmp_path, binary=binary), "test")
    x, fine = images(200, classes=100, seed=1)
    assert (test.x == x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)).all()
    assert test.labels.tolist() == fine.tolist()
    assert np.bincount(read_cifar100(tmp_path, "val", held_out=100).labels).tolist() == [1] * 100


def test_the_inner_folder_will_do(tmp_path):
    write_binary(tmp_path)
    assert len(read_cifar10(tmp_path / "cifar-10-batches-bin", "test")) == 20


class Code:
    def __reduce__(self):
        return (open, ("/tmp/owned", "w"))


def spoil(place, name, change):
    (place / name).write_bytes(change((place / name).read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "part"),
    [
        ("test_batch", lambda data: pickle.dumps({"data": Code()}), r"it holds the name io\.open; a pickle with code"),
        ("test_batch", lambda data: pickle.dumps({"data": 1}), "must hold labels; it has data"),
        ("test_batch", lambda data: pickle.dumps([1]), "a whole pickle of a table"),
        ("test_batch", lambda data: data[:2000], "truncated"),
        ("test_batch", lambda data: b"", "truncated"),
        ("batches.meta", lambda data: pickle.dumps({"label_names": NAMES_100}), "must name 10 classes; got 100"),
        ("test_batch", lambda data: python2_batch(*images(9, classes=10, seed=0), key=b"fine_labels"), "other CIFAR"),
        ("test_batch", lambda data: python2_batch(images(3, classes=10, seed=0)[0], [1, 2]), r"2 rows of 3072"),
        (
            "test_batch",
            lambda data: python2_batch(images(1, classes=10, seed=0)[0], [10]),
            r"labels must lie in 0\.\.9",
        ),
        ("test_batch", lambda data: pickle.dumps({"data": np.ones(3), "labels": []}, 2), "an array of f8"),
    ],
)
def test_a_bad_batch_is_one_line(tmp_path, name, change, part):
    place = write_python(tmp_path, python2=True) / "cifar-10-batches-py"
    spoil(place, name, change)
    with pytest.raises(DataError, match=part) as caught:
        read_cifar10(tmp_path, "test")
    assert "\n" not in str(caught.value)


def test_missing_and_truncated_files_are_named(tmp_path):
    with pytest.raises(DataError, match="must be or hold cifar-10-batches-py or cifar-10-batches-bin"):
        read_cifar10(tmp_path, "test")
    place = write_binary(tmp_path) / "cifar-10-batches-bin"
    spoil(place, "data_batch_2.bin", lambda data: data[:-1])
    with pytest.raises(DataError, match=r"data_batch_2\.bin must hold records of 3073 bytes"):
        read_cifar10(tmp_path, "train", held_out=10)
    (place / "data_batch_1.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_1\.bin must exist"):
        read_cifar10(tmp_path, "train", held_out=10)


@pytest.mark.parametrize("protocol", range(5))
def test_plain_tables_read_as_pickle_reads_them(tmp_path, protocol):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    table = {
        "a": [1, -2, 2**40, 300, 1.5],
        "b": ("x", None, True, False, ()),
        "c": b"\x00\xff",
        "d": [],
        "e": {"f": "ä"},
    }
    (tmp_path / "table").write_bytes(pickle.dumps(table | {"g": array, "h": np.asfortranarray(array)}, protocol))
    found = read_pickled_table(tmp_path / "table")
    assert (found.pop("g") == array).all()
    assert (found.pop("h") == array).all()
    assert found == table
