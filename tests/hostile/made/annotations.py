"""Annotations that cost far more than they look."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from made.bomb import Bomb, content
from made.photographs import LARGE, endless, pipe

PIXELS = LARGE[0] * LARGE[1]


def converted(path: Path, *, to: str = "masks", form: str | None = None) -> object:
    from fundoscope.data.annotations import formats

    return formats.convert(path, path.parent / f"{path.name}.out", to, form=form, overwrite=True)


def coco(objects: list[dict[str, Any]], size: tuple[int, int] = LARGE) -> bytes:
    image = {"id": 1, "file_name": "a.jpg", "width": size[0], "height": size[1]}
    listed = [{"id": n, "image_id": 1, "category_id": 1} | each for n, each in enumerate(objects)]
    document = {
        "images": [image],
        "categories": [{"id": 1, "name": "MA"}],
        "annotations": listed,
    }
    return json.dumps(document).encode()


def with_text(text: str, size: tuple[int, int] = (640, 480)) -> bytes:
    """A COCO file with a text in the place of the segmentation."""
    return coco([{"bbox": [1, 1, 2, 2], "segmentation": "@"}], size).replace(b'"@"', text.encode())


def whole() -> dict[str, Any]:
    return {"bbox": [0, 0, *LARGE]}


def mask_of_all() -> dict[str, Any]:
    return {"segmentation": {"size": [LARGE[1], LARGE[0]], "counts": [0, PIXELS]}}


def zigzag(corners: int, height: int = LARGE[1]) -> list[int]:
    return [number for n in range(corners) for number in (n % LARGE[0], height * (n % 2))]


def voc(inside: str) -> bytes:
    size = f"<size><width>{LARGE[0]}</width><height>{LARGE[1]}</height></size>"
    return f"<annotation><filename>a.jpg</filename>{size}{inside}</annotation>".encode()


def voc_object(inside: str) -> str:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>8900</xmax><ymax>8900</ymax></bndbox>"
    return f"<object><name>MA</name>{box}{inside}</object>"


def voc_polygon(corners: int) -> bytes:
    points = "".join(f"<x{n}>{n}</x{n}><y{n}>{n % 7}</y{n}>" for n in range(1, corners + 1))
    return voc(voc_object(f"<polygon>{points}</polygon>"))


def cvat(inside: str) -> bytes:
    image = f'<image id="0" name="a.jpg" width="{LARGE[0]}" height="{LARGE[1]}">{inside}</image>'
    return f"<annotations><version>1.1</version>{image}</annotations>".encode()


def cvat_masks(count: int) -> bytes:
    frame = f'left="0" top="0" width="{LARGE[0]}" height="{LARGE[1]}"'
    return cvat(f'<mask label="MA" {frame} rle="0, {PIXELS}"/>' * count)


def label_studio(values: list[dict[str, Any]], kind: str = "brushlabels") -> bytes:
    results = [
        {
            "id": f"r{n}",
            "type": kind,
            "original_width": LARGE[0],
            "original_height": LARGE[1],
            "value": value,
        }
        for n, value in enumerate(values)
    ]
    work = {"id": 7, "completed_by": 2, "result": results, "was_cancelled": False}
    return json.dumps([{"id": 1, "data": {"image": "/a.png"}, "annotations": [work]}]).encode()


def brush_of_all() -> dict[str, Any]:
    """A stroke over the whole photograph in pieces of 65,536 values."""
    count = 4 * PIXELS
    bits = f"{count:032b}" + f"{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    while count:
        part = min(count, 65_536)
        bits += f"111{part - 1:016b}{255:08b}"
        count -= part
    bits += "0" * (-len(bits) % 8)
    return {
        "format": "rle",
        "rle": list(int(bits, 2).to_bytes(len(bits) // 8, "big")),
        "brushlabels": ["MA"],
    }


def many_tasks(count: int) -> bytes:
    """Tasks of one photograph."""
    box = {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["MA"]}
    task = json.loads(label_studio([box], "rectanglelabels"))[0]
    tasks = []
    for number in range(count):
        work = dict(task["annotations"][0], id=number)
        tasks.append(dict(task, id=number, annotations=[work]))
    return json.dumps(tasks).encode()


def yolo(lines: bytes, config: bytes = b"names: [MA]\n") -> Callable[[Path], None]:
    """A folder of YOLO."""

    def make(path: Path) -> None:
        (path / "images").mkdir(parents=True)
        (path / "labels").mkdir()
        Image.new("RGB", (64, 64)).save(path / "images" / "a.png")
        (path / "labels" / "a.txt").write_bytes(lines)
        (path / "data.yaml").write_bytes(config)

    return make


def yolo_of(maker: Callable[[Path], None], name: str) -> Callable[[Path], None]:
    """A folder of YOLO, one of whose files is made otherwise."""

    def make(path: Path) -> None:
        yolo(b"0 0.5 0.5 0.1 0.1\n")(path)
        (path / name).unlink()
        maker(path / name)

    return make


def _coco() -> Iterator[Bomb]:
    bomb = partial(Bomb, use=converted)
    named = partial(Bomb, use=partial(converted, form="coco"), lies=True)
    yield bomb("coco-60-boxes.json", content(lambda: coco([whole()] * 60)))
    yield bomb("coco-60-masks.json", content(lambda: coco([mask_of_all()] * 60)))
    yield bomb("coco-3-masks.json", content(lambda: coco([mask_of_all()] * 3)), may_be_read=True)
    yield bomb("coco-deep.json", content(lambda: with_text("[" * 200_000 + "]" * 200_000)))
    yield bomb("coco-digits.json", content(lambda: with_text(f"[[{'9' * 2_000_000},1,2,3,4,5]]")))
    yield bomb("coco-exponent.json", content(lambda: with_text("[[1e999999999,1,2,3,4,5]]")))
    yield bomb(
        "coco-a-million-corners.json",
        content(lambda: with_text(f"[[{','.join('1' * 2_000_000)}]]")),
    )
    yield bomb(
        "coco-zigzag.json",
        content(lambda: coco([{"segmentation": [zigzag(90_000)]}])),
    )
    yield bomb(
        "coco-6-million-numbers.json",
        content(lambda: with_text(f"[[{','.join('1' * 6_000_000)}]]")),
    )
    yield named("coco-a-pipe.json", pipe)
    yield named("coco-an-endless-device.json", endless)


def _xml() -> Iterator[Bomb]:
    as_voc = partial(Bomb, use=partial(converted, form="voc"))
    as_cvat = partial(Bomb, use=partial(converted, form="cvat"))
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]><annotation>&e11;</annotation>'
    yield as_voc("voc-60-boxes.xml", content(lambda: voc(voc_object("") * 60)))
    yield as_voc("voc-110000-corners.xml", content(lambda: voc_polygon(110_000)))
    yield as_voc("voc-a-million-objects.xml", content(lambda: voc("<object/>" * 1_100_000)))
    yield as_voc("voc-deep.xml", content(lambda: b"<annotation>" + b"<a>" * 900_000))
    yield as_voc("voc-entities.xml", content(laughs.encode))
    yield as_voc("voc-a-pipe.xml", pipe, lies=True)
    yield as_cvat("cvat-60-masks.xml", content(lambda: cvat_masks(60)))
    yield as_cvat("cvat-digits.xml", content(lambda: cvat_masks(1).replace(b"0, ", b"9" * 10**6)))
    yield as_cvat(
        "cvat-a-million-corners.xml",
        content(lambda: cvat(f'<polygon label="MA" points="{"1,2;" * 10**6}3,4"/>')),
    )


def _others() -> Iterator[Bomb]:
    as_tasks = partial(Bomb, use=partial(converted, form="labelstudio"))
    as_yolo = partial(Bomb, use=partial(converted, form="yolo"))
    line = b"0 " + b"0.5 " * 300_000
    yield as_tasks("tasks-60-strokes.json", content(lambda: label_studio([brush_of_all()] * 60)))
    yield as_tasks("tasks-deep.json", content(lambda: b"[" * 400_000))
    yield Bomb(
        "tasks-of-one-photograph.json",
        content(lambda: many_tasks(3_000)),
        partial(converted, form="labelstudio", to="coco"),
        may_be_read=True,
    )
    yield as_yolo("yolo-a-long-line", yolo(line + b"\n"))
    yield as_yolo("yolo-a-pipe", yolo_of(pipe, "labels/a.txt"), lies=True)
    yield as_yolo("yolo-a-pipe-as-settings", yolo_of(pipe, "data.yaml"), lies=True)
    yield as_yolo(
        "yolo-an-open-list",
        yolo(b"0 0.5 0.5 0.1 0.1\n", b"names: [\n" + b"MA,\n" * 200_000),
    )
    yield as_yolo(
        "yolo-many-names",
        yolo(b"0 0.5 0.5 0.1 0.1\n", b"names:\n" + b"  - MA\n" * 200_000),
    )


def bombs() -> list[Bomb]:
    """All of them."""
    return [*_coco(), *_xml(), *_others()]
