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
        study.study.tell(trial, 0.5)
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
