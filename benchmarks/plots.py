"""Draw the plots of docs/ from the results in this folder.

python benchmarks/plots.py   # docs/pareto-DATA.png and .svg, docs/nand-DATA.png and .svg

Accuracies are means over seeds (pareto.json). Total ops are those of the circuits in the zoo, counted anew (zoo_cost.json),
where the zoo has the row. Networks of other libraries that were trained here are those of rivals.json. NAND gates and
inverters are those of whole_cost.json and zoo_cost.json, with the accuracy of that one circuit.
"""

from __future__ import annotations

from gatewright.runs.report.draw import Measured, draw, draw_nand
from gatewright.runs.report.published import benchmark, published
from gatewright.runs.results import Results
from measured import HERE, read

DOCS = HERE.parent / "docs"


def main() -> None:
    counted = read("zoo_cost")
    whole = read("whole_cost")
    rows = [
        row.model_copy(update={"total_ops": counted[row.name]["total_ops"]}) if row.name in counted else row
        for row in Results(HERE / "pareto.json").rows()
    ]
    rivals = read("rivals").values()
    for name in dict.fromkeys(row.data for row in rows):
        mine = [row for row in rows if row.data == name]
        others = [row for row in published() if row.data == name]
        measured = sorted(
            Measured(row["library"], row["total_ops"], row["logic_ops"], 100 * row["test"])
            for row in rivals
            if row["data"] == name
        )
        if len(mine) > 1 or others:  # one point alone is no front
            print(*draw(name, mine, others, DOCS, measured=measured), sep="\n")
    for name in dict.fromkeys(row.data for row in benchmark()):
        points = {
            n: (r["nand_inv"], 100 * r["test"]) for n, r in counted.items() if r["data"] == name and r["nand_inv"]
        }
        points |= {
            n: (r["nand_inv"], 100 * r["correct"] / r["images"])
            for n, r in whole.items()
            if r["data"] == name and r["nand_inv"]
        }
        print(*draw_nand(name, points, [row for row in benchmark() if row.data == name], DOCS), sep="\n")


if __name__ == "__main__":
    main()
