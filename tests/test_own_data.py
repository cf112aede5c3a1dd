"""From a table or a folder of images to C and Verilog, by the commands of the README, on samples the model never saw."""

import json
import shutil
from contextlib import chdir

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import gatewright as gw
from gatewright.data import Dataset, Shares
from gatewright.errors import DataError, GatewrightError, OptionError
from gatewright.formats.c.row import _fields
from gatewright.runs.own import predict_own, samples_from
from gatewright.sklearn import GatewrightClassifier
from support import commands
from support.tools import run, tool  # noqa: F401 - fixtures

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-O1"]


def table(n, seed):
    """Rows with whole numbers beyond float32, texts, fractions, and missing values; the labels follow from them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": rng.permutation(n) + 10**12,
            "account": rng.integers(0, 1000, n) + 3 * 10**9,
            "hours-per-week": rng.integers(-5, 60, n),
            "rate": rng.normal(size=n).round(3),
            "class": rng.choice(["Ulm", "Bonn", "double", "10 %"], n),
            "member": rng.random(n) < 0.5,
        }
    )
    late = (frame.account > 3 * 10**9 + 500) ^ frame["class"].isin(["Ulm", "10 %"])
    frame["label"] = np.where(late & (frame.rate > -1), ">50K", "<=50K")
    frame["hours-per-week"] = frame["hours-per-week"].astype("Int64").mask(rng.random(n) < 0.2)
    frame["rate"] = frame.rate.mask(rng.random(n) < 0.1)
    frame["class"] = frame["class"].mask(rng.random(n) < 0.1)
    return frame


def gatewright(*arguments, cwd):
    with chdir(cwd):
        done = commands.gatewright(*arguments)
    assert done.code == 0, done.out + done.err
    return done.out


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    table(1500, 0).to_csv(folder / "people.csv", index=False)
    gatewright("train", "people.csv", "--target", "label", "--drop", "id", "--steps", 600, cwd=folder)
    gatewright("compile", "runs/people", "-o", "people.gw", cwd=folder)
    gatewright("export", "people.gw", "--to", "c", "-o", "build", "--set", "name=people", cwd=folder)
    return folder


def literal(field, row):
    """A field of a row as C."""
    value = row[field.column.name]
    gone = pd.isna(value)
    flag = f" .{field.flag} = {int(gone)}," if field.flag else ""
    if field.column.kind == "category":
        value = field.constants[-1] if gone else field.constants[field.column.categories.index(value)]
    elif gone:
        value = 77  # not read
    else:
        value = f"{np.float32(value)}f" if field.column.kind == "float" else f"INT64_C({int(value)})"
    if field.column.kind == "integer" and field.kind in {"uint6", "int7"}:
        value = f"(int32_t){value}"
    return f".{field.name} = {value},{flag}"


def test_three_commands_make_a_c_function_for_rows(trained, tool, run):  # noqa: F811
    fresh = table(300, 1)
    fresh.loc[:3, "hours-per-week"] = [2**31 - 1, -(2**31), 1000, -1000]
    fresh.loc[4:5, "account"] = [2**62, -(2**62)]
    circuit = gw.load(trained / "people.gw").circuit
    encoder = circuit.encoder
    assert encoder.dtype == "float64"
    kinds = dict(zip(encoder.feature_names, encoder.types, strict=True))
    assert kinds["account"] == "uint32"
    assert kinds["hours-per-week"] == "int7"
    assert kinds["rate is missing"] == kinds["member"] == "bool"
    wanted = gw.Engine(circuit).predict(fresh)
    assert (np.array(circuit.head.class_names)[wanted] == fresh.label).mean() > 0.9
    header = (trained / "build" / "people.h").read_text()
    assert "PEOPLE_CLASS_GT_50K = 1, /* >50K */" in header
    assert "PEOPLE_CLASS_2_10_PERCENT" in header or "_10_PERCENT" in header
    fields = _fields(encoder, "people")
    rows = ",\n".join("{" + " ".join(literal(field, row) for field in fields) + "}" for _, row in fresh.iterrows())
    (trained / "main.c").write_text(
        '#include <stdio.h>\n#include "people.h"\n'
        f"static const people_row rows[] = {{\n{rows}\n}};\nstatic people_workspace work;\n"
        "int main(void) { for (int i = 0; i < 300; i++) "
        'printf("%ld\\n", (long)people_predict_row(&rows[i], 0, &work)); return 0; }\n'
    )
    source = trained / "build" / "people.c"
    run(tool("gcc"), *FLAGS, "-I", trained / "build", "-o", trained / "main", trained / "main.c", source)
    assert list(map(int, run(trained / "main").split())) == wanted.tolist()
    cpp = shutil.which("g++")
    if cpp:
        (trained / "header.cpp").write_text('#include "people.h"\nint main() { return PEOPLE_CLASS_LE_50K; }\n')
        run(cpp, "-Wall", "-Werror", "-fsyntax-only", "-I", trained / "build", trained / "header.cpp")


def test_tables_are_evaluated_and_predicted_with_their_ids(trained):
    fresh = table(200, 2)
    fresh.to_csv(trained / "fresh.csv", index=False)
    fresh.to_parquet(trained / "fresh.parquet")
    one, two = (
        json.loads(gatewright("eval", "people.gw", "--dataset", name, "--json", cwd=trained))
        for name in ("fresh.csv", "fresh.parquet")
    )
    assert one["correct"] == two["correct"]
    assert one["samples"] == 200
    gatewright("predict", "people.gw", "fresh.csv", "-o", "out.parquet", "--scores", cwd=trained)
    gatewright("predict", "people.gw", "fresh.parquet", "-o", "out.csv", "--probabilities", cwd=trained)
    out = pd.read_csv(trained / "out.csv")
    assert list(out.columns) == ["id", "label", "prediction", "probability of <=50K", "probability of >50K"]
    assert (out.id == fresh.id).all()
    again = pd.read_parquet(trained / "out.parquet")
    assert list(again.columns) == ["id", "label", "prediction", "score of <=50K", "score of >50K"]
    assert (again.prediction == out.prediction).all()
    assert (out.prediction == fresh.label).sum() == one["correct"]
    model = gw.load(trained / "people.gw")
    assert (np.array(model.class_names)[model.predict(fresh)] == out.prediction).all()


def test_what_a_table_lacks_is_named(trained):
    engine = gw.Engine(gw.load(trained / "people.gw").circuit)
    fresh = table(10, 3)
    fresh.drop(columns="rate").to_csv(trained / "lacking.csv", index=False)
    with pytest.raises(DataError, match=r"lacking.csv lacks the column\(s\) 'rate'"):
        predict_own(engine, trained / "lacking.csv", trained / "none.csv")
    with pytest.raises(OptionError, match=r"none.npy is no name of a table"):
        predict_own(engine, trained / "lacking.csv", trained / "none.npy")
    fresh.assign(label="maybe").to_csv(trained / "wrong.csv", index=False)
    with pytest.raises(DataError, match="row 0: label 'maybe', expected one of"):
        samples_from(engine.circuit, trained / "wrong.csv")
    fresh.assign(prediction=1).to_csv(trained / "twice.csv", index=False)
    with pytest.raises(DataError, match="has a column 'prediction'"):
        predict_own(engine, trained / "twice.csv", trained / "none.csv")


def test_categories_that_look_like_numbers_stay_texts(tmp_path):
    frame = pd.DataFrame({"code": ["01", "7", "x"] * 40, "y": ["a", "a", "b"] * 40})
    frame.to_csv(tmp_path / "codes.csv", index=False)
    model = GatewrightClassifier(width=20, steps=100, random_state=0).fit(frame[["code"]], frame.y)
    engine = gw.Engine(model.circuit_)
    frame[frame.code != "x"].drop(columns="y").to_csv(tmp_path / "some.csv", index=False)
    assert predict_own(engine, tmp_path / "some.csv", tmp_path / "out.csv") == 80
    assert set(pd.read_csv(tmp_path / "out.csv").prediction) == {"a"}


def draw(folder, n, seed):
    """Images of 8 x 8 pixels, bright on the left or the right."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        side = ("left", "right")[i % 2]
        pixels = rng.integers(0, 120, (8, 8), np.uint8)
        pixels[:, :4] += 100 if side == "left" else 0
        pixels[:, 4:] += 100 if side == "right" else 0
        (folder / side).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / side / f"{i}.png")


def test_three_commands_make_verilog_of_a_folder_of_images(tmp_path, tool, run):  # noqa: F811
    draw(tmp_path / "photos", 200, 0)
    draw(tmp_path / "new", 40, 1)
    gatewright(
        "train", "photos", "--set", "train.steps=150", "--set", "model.layers=[{type: flatten}, {type: dense, width: 60}]",
        cwd=tmp_path,
    )  # fmt: skip
    gatewright("compile", "runs/photos", "-o", "photos.gw", cwd=tmp_path)
    gatewright("export", "photos.gw", "--to", "verilog", "-o", "build", "--set", "name=photos", cwd=tmp_path)
    circuit = gw.load(tmp_path / "photos.gw").circuit
    assert (circuit.encoder.shape, circuit.head.class_names) == ((1, 8, 8), ("left", "right"))
    x, y = samples_from(circuit, tmp_path / "new")
    assert (gw.Engine(circuit).predict(x) == y).mean() > 0.9
    gw.export(circuit, "verilog", tmp_path / "check", name="photos", samples=x)
    tool("iverilog")
    sources = [tmp_path / "build" / "photos.v", tmp_path / "check" / "photos_tb.v"]
    run("iverilog", "-o", tmp_path / "sim", *sources)
    assert "PASS 40" in run("vvp", tmp_path / "sim", cwd=tmp_path / "check")
    gatewright("predict", "photos.gw", "new", "-o", "new.csv", cwd=tmp_path)
    out = pd.read_csv(tmp_path / "new.csv")
    assert len(out) == 40
    assert (out.file.str.split("/").str[0] == out.prediction).mean() > 0.9


def test_images_that_do_not_fit_are_named(tmp_path):
    draw(tmp_path / "photos", 8, 0)
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "photos" / "left" / "x.png")
    with pytest.raises(GatewrightError, match=r"x.png has 9 x 8 pixels, but .*; give a size"):
        Dataset.from_folder(tmp_path / "photos")
    data = Dataset.from_folder(tmp_path / "photos", size=(4, 6), colour="rgb", shares=Shares(0.25, 0.25))
    assert data.shape == (3, 4, 6)
    (tmp_path / "photos" / "left" / "y.png").write_bytes(b"no")
    with pytest.raises(GatewrightError, match=r"y.png cannot be read as an image"):
        Dataset.from_folder(tmp_path / "photos", size=(4, 6))
    (tmp_path / "photos" / "none").mkdir()
    with pytest.raises(DataError, match="none has no images"):
        Dataset.from_folder(tmp_path / "photos")


def test_a_dataset_is_trained_without_a_name(tmp_path):
    data = Dataset.from_frame(table(400, 0), "label", drop=["id"])
    config = {
        "data": {"path": "given", "encoder": {"kind": "quantile", "thresholds": 8}},
        "model": {"relaxation": "hard", "candidates": 4, "layers": [{"type": "dense", "width": 20}]},
        "train": {"steps": 20},
    }
    from gatewright.training.load import from_dict

    result = gw.train(from_dict(config), out=tmp_path / "run", dataset=data)
    assert result.data == "table"
    model = gw.load(tmp_path / "run")
    assert model.circuit.encoder.columns == data.columns
    assert model.circuit.metadata["data"] == "table"
    assert model.prove().equal
