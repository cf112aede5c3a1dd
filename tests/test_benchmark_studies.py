"""Studies in `benchmarks/` take hours: what their arms ask for must be there before they start."""

from pathlib import Path

import pytest

from gatewright.training.load import load_preset

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_every_arm_of_every_study_is_a_valid_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from ablation import STUDIES

    for study in STUDIES.values():
        arms = [load_preset(study.preset, [*study.changes, *arm]) for arm in (study.arms or {"": []}).values()]
        distinct = {arm.model_dump_json() for arm in arms}
        assert len(distinct) == len(arms), f"two arms of {study.question!r} are the same"


def test_every_case_of_stacks_is_a_valid_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from conv_stacks import CASES

    for case in CASES.values():
        load_preset(case["preset"], case["changes"])
