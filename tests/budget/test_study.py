"""Studies: no trial is lost or has two workers, and the winner depends on the study alone."""

import pytest
from optuna.trial import TrialState, create_trial

from gatewright.budget.limits import Budget
from gatewright.budget.study import About, Study, open_storage
from gatewright.errors import OptionError

ABOUT = About("digits", Budget(total_ops=1000))


def claim(study, limit=None, warm=()):
    return study.claim(limit, warm)


def test_two_workers_have_two_trials_and_a_dropped_one_is_taken_up(tmp_path):
    one, two = Study(ABOUT, tmp_path), Study(ABOUT, tmp_path)
    with claim(one) as first, claim(two) as second:
        assert (first.number, second.number) == (0, 1)
        first.set_user_attr("config", {"a": 1})
        with claim(two, limit=2) as third:
            assert third is None
        assert one.busy()
    assert not one.busy(), "nobody holds what is running"
    with claim(two) as again:  # as after a kill: the trial runs, and nobody holds it
        assert again.number == 0
        assert again.user_attrs["config"] == {"a": 1}
        two.study.tell(again, 0.5)
    with claim(one) as again:
        assert again.number == 1
        one.study.tell(again, 0.5)
    assert [trial.number for trial in one.trials()] == [0, 1]
    with claim(one, limit=2) as none:
        assert none is None


def test_folders_share_a_study_but_no_trials(tmp_path):
    journal = str(tmp_path / "study.journal")
    here, there = (Study(ABOUT, tmp_path / name, journal) for name in ("here", "there"))
    with claim(here) as one, claim(there) as two:
        assert {one.number, two.number} == {0, 1}
    with claim(there) as again:
        assert again.number == two.number, "what another folder began is not taken up"
        there.study.tell(again, 0.5)
    assert len(here.trials()) == 2
    assert [trial.number for trial in here.trials(TrialState.RUNNING)] == [one.number]


def test_the_first_trials_are_warm_starts(tmp_path):
    study = Study(ABOUT, tmp_path)
    with claim(study, warm=[{"x": 3}, {"x": 4}]) as trial:
        assert trial.suggest_int("x", 0, 100) == 3
        study.study.tell(trial, state=TrialState.PRUNED)
    with claim(study, warm=[{"x": 3}, {"x": 4}]) as trial:
        assert trial.suggest_int("x", 0, 100) == 4


def test_options_of_a_study_do_not_change(tmp_path):
    Study(ABOUT, tmp_path)
    with pytest.raises(OptionError, match="begun with seed = 0, but 1 is asked for now"):
        Study(About("digits", Budget(total_ops=1000), seed=1), tmp_path)
    Study(About("digits", Budget(total_ops=2000)), tmp_path)  # another study
    with pytest.raises(OptionError, match="unknown pruner 'halfing'; did you mean 'halving'"):
        About("digits", Budget(total_ops=1000), pruner="halfing")


def test_storages_are_files_or_databases(tmp_path):
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    assert Study(ABOUT, tmp_path / "a", url).about == ABOUT
    assert (tmp_path / "mine.db").exists()
    with pytest.raises(OptionError, match=r"expected the URL of a database, or a journal file"):
        open_storage("study.txt", tmp_path)
    with pytest.raises(OptionError, match="cannot be opened"):
        open_storage("nonsense://nowhere", tmp_path)


def test_the_best_that_fits_wins(tmp_path):
    study = Study(ABOUT, tmp_path)
    rows = [(0.9, 900), (0.95, 1001), (0.93, 800), (0.93, 700), (0.93, 700)]
    assert study.winner() is None
    for value, ops in rows:
        study.study.add_trial(create_trial(value=value, user_attrs={"figures": {"total_ops": ops}}))
    study.study.add_trial(create_trial(state=TrialState.PRUNED))
    assert study.winner().number == 3, "over the budget does not count; equals: the smaller, then the first"
    assert Study(ABOUT, tmp_path).winner().number == 3


def counted(study, value, ops, **attrs):
    study.study.add_trial(create_trial(value=value, user_attrs={"figures": {"total_ops": ops}, **attrs}))


def claimed(study, warm=()):
    """Number, x, fill and source of a new trial, which is then over."""
    with claim(study, warm=warm) as trial:
        found = trial.number, trial.suggest_int("x", 0, 10**9), trial.suggest_float("fill", 0, 1)
        study.study.tell(trial, state=TrialState.PRUNED)
        return *found, trial.user_attrs.get("resizes")


def test_promising_networks_of_the_wrong_size_are_trained_again(tmp_path):
    study = Study(ABOUT, tmp_path)
    warm = [{"x": 1, "fill": 0.5}, {"x": 2, "fill": 0.5}]
    assert claimed(study, warm) == (0, 1, 0.5, None)
    counted(study, 0.9, 900)
    counted(study, 0.8, 1500)  # over the budget, and no better for it
    number, x, _, source = claimed(study, warm)
    assert (number, source) == (3, None)
    assert x not in {1, 2}, "two warm starts were taken"
    counted(study, 0.95, 1400)
    counted(study, 0.96, 1300)
    number, _, fill, source = claimed(study, warm)
    assert (number, fill, source) == (6, 0.94, 5), "the best of those that are better and over the budget"
    assert claimed(study, warm)[-1] == 4
    assert claimed(study, warm)[-1] is None, "each of them once"
    counted(study, 0.97, 1100, resizes=5)
    assert claimed(study, warm)[-1] == 9, "it is still too large"
    assert claimed(study, warm)[-1] is None
    counted(study, 0.94, 600)
    assert claimed(study, warm)[-1] == 12, "the winner leaves room"
    counted(study, 0.943, 700, resizes=12)
    assert claimed(study, warm)[-1] is None, "its room may have no use"
    counted(study, 0.945, 900)
    assert claimed(study, warm)[-1] is None


def test_a_resized_trial_takes_no_place_of_a_warm_start(tmp_path):
    study = Study(ABOUT, tmp_path)
    warm = [{"x": 1}, {"x": 2}]
    assert claimed(study, warm)[1] == 1
    study.study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs={"resizes": 0}))
    assert claimed(study, warm)[1] == 2


def test_trials_are_compared_with_those_that_fit(tmp_path):
    study = Study(ABOUT, tmp_path)
    rungs = {"completed_rung_0": 0.9}
    study.study.add_trial(create_trial(value=0.9, user_attrs={"figures": {"total_ops": 5000}}, system_attrs=rungs))
    with claim(study) as trial:
        trial.report(0.5, 4)
        assert not trial.should_prune(), "what is ahead is too large"
        study.study.tell(trial, state=TrialState.PRUNED)
    study.study.add_trial(create_trial(value=0.9, user_attrs={"figures": {"total_ops": 900}}, system_attrs=rungs))
    with claim(study) as trial:
        trial.report(0.5, 4)
        assert trial.should_prune()
        study.study.tell(trial, state=TrialState.PRUNED)


def test_folders_that_share_a_study_resize_a_trial_once(tmp_path):
    study = Study(ABOUT, tmp_path)
    counted(study, 0.9, 1200)
    study.study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs={"resizes": 0}))
    study.study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs={"resizes": 0}))
    assert [study.resized(number) for number in range(3)] == [None, 0, None]
