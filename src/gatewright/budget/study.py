"""The study of a search: where its trials are stored, and who has which.

Trials are Optuna's, in a SQLite file, a database or a journal file. A trial is made as a running one that says which folder
it belongs to, and whoever works on it holds its lock there. The system gives the lock up with the process, however that
ends; so a running trial that nobody holds was killed, and the next worker takes it and resumes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from gatewright.budget.limits import Budget
from gatewright.budget.pruners import PRUNERS
from gatewright.data import Dataset
from gatewright.errors import OptionError, unknown_name
from gatewright.runtime.files import make_folder, write_text_atomically
from gatewright.runtime.locks import BusyError, locked
from gatewright.training.config import RunConfig
from gatewright.training.config.data import DataOptions

FULL, SPARSE = 0.94, 0.8
"""Share of the budget that a network fills which is trained again at another size, and below which the winner is."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class About:
    """What a study is of; all that work on it must agree.

    Attributes:
        data: Name of the data set.
        budget: What the network may take.
        seed: Of sampler and trials.
        pruner: A name in `PRUNERS`.
        steps: Of a full trial; None for as many as the time allows.
        source: The section `data` of configs that read it; empty for the data set of this name.
        digest: Of the samples and labels that it reads; empty for a data set of a name.
    """

    data: str
    budget: Budget
    seed: int = 0
    pruner: str = "halving"
    steps: int | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if self.pruner not in PRUNERS:
            raise unknown_name("pruner", self.pruner, PRUNERS)

    @property
    def name(self) -> str:
        """Of the study."""
        limits = ", ".join(f"{name} <= {limit}" for name, limit in self.budget.limits.items())
        return f"{self.data}: {limits}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the storage."""
        rest = {"seed": self.seed, "pruner": self.pruner, "steps": self.steps}
        # Where a file lies differs between machines, what it holds does not.
        own = {**{key: value for key, value in self.source.items() if key != "path"}, "sha256": self.digest}
        return {"data": self.data, "limits": self.budget.limits, **rest, **({"own": own} if self.source else {})}

    def here(self, config: RunConfig) -> RunConfig:
        """A config of the study, which another machine may have made, with the file where it lies for this one."""
        if not self.source:
            return config
        return config.model_copy(update={"data": config.data.model_copy(update={"path": self.source["path"]})})

    def read(self, root: Path | None) -> Dataset:
        """The data set; the errors are those of `gatewright.training.config.data.DataOptions`."""
        return DataOptions.model_validate(self.source or {"name": self.data}).read(root, progress=False)


def open_storage(place: str | None, out: Path) -> BaseStorage:
    """The storage of a study.

    Args:
        place: None for `study.db` in `out`; the URL of a database (`mysql://...`); or a journal file (`FILE.journal`).
        out: The folder of the search.

    Raises:
        OptionError: It is none of these, or cannot be opened.
    """
    if place is None or "://" in place:
        url = f"sqlite:///{out / 'study.db'}" if place is None else place
        options = {"connect_args": {"timeout": 100}} if url.startswith("sqlite") else {"pool_pre_ping": True}
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise OptionError(f"the storage {url.partition('@')[2] or url} cannot be opened: {reason}") from error
    if Path(place).suffix == ".journal":
        make_folder(Path(place).parent)
        return JournalStorage(JournalFileBackend(place))
    raise OptionError(f"the storage is {place!r}, expected the URL of a database, or a journal file FILE.journal")


@dataclass
class Study:
    """An open study, and this folder's part in it.

    Args:
        about: What it is of.
        out: The folder of the search; several processes may share it.
        storage: See `open_storage`.

    Raises:
        OptionError: The storage has a study of this name with other options.
    """

    about: About
    out: Path
    storage: str | None = None
    study: optuna.Study = field(init=False)
    place: str = field(init=False)

    def __post_init__(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        make_folder(self.out / "trials")
        with FileLock(self.out / "claim.lock"):
            self._store = open_storage(self.storage, self.out)
            about = self.about
            self.study = optuna.create_study(
                study_name=about.name,
                storage=self._store,
                sampler=optuna.samplers.TPESampler(seed=None, n_startup_trials=8),
                pruner=PRUNERS[about.pruner](about.budget),
                direction="maximize",
                load_if_exists=True,
            )
            mine, theirs = about.as_dict(), self.study.user_attrs.get("search")
            if theirs is None:
                self.study.set_user_attr("search", mine)
            elif theirs != mine:
                key = next(key for key in {**theirs, **mine} if mine.get(key) != theirs.get(key))
                raise OptionError(
                    f"this study was begun with {key} = {theirs.get(key)}, but {mine.get(key)} is asked for now; "
                    "go on with the same options, or choose another --out (and storage)"
                )
            token = self.out / "place"
            if not token.exists():
                write_text_atomically(token, uuid.uuid4().hex)
            self.place = token.read_text(encoding="utf-8")
        self._study_id = self._store.get_study_id_from_name(about.name)

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """All trials in these states, or in any, by number."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def folder(self, number: int) -> Path:
        """A trial's folder, where it is one of this place."""
        return self.out / "trials" / f"{number:04d}"

    def _lock(self, number: int) -> Path:
        return self.folder(number).with_suffix(".lock")

    @contextmanager
    def claim(self, limit: int | None, warm: Sequence[Mapping[str, Any]]) -> Iterator[optuna.Trial | None]:
        """A trial to work on, held within the context: one that was killed or stopped, or else a new one.

        Args:
            limit: Trials of the study, at most; None for any number.
            warm: Parameters of the first trials. Between them come those that train a promising network again, at the size
                that its circuit says; they have the number of its trial as the attribute `resizes`.

        Yields:
            The trial; None if there are as many as wanted and others have those that still run.
        """
        with ExitStack() as stack:
            with FileLock(self.out / "claim.lock"):
                number = self._take(stack)
                if number is None and (limit is None or len(self.trials()) < limit):
                    number = self._new()
                    stack.enter_context(self._held(number))
            if number is None:
                yield None
                return
            trial_id = self._store.get_trial_id_from_study_id_trial_number(self._study_id, number)
            fixed = self._given(number, warm)
            if fixed is not None:
                self._store.set_trial_system_attr(trial_id, "fixed_params", fixed)
            # A seed of its own: what a trial draws does not depend on which process draws it.
            self.study.sampler = optuna.samplers.TPESampler(seed=self.about.seed + number, n_startup_trials=8)
            self.trials()  # what the storage caches has to know the trial
            yield optuna.Trial(self.study, trial_id)

    def _new(self) -> int:
        source = self._misjudged()
        attrs = {"place": self.place} if source is None else {"place": self.place, "resizes": source}
        mine = create_trial(state=TrialState.RUNNING, user_attrs=attrs)
        trial_id = self._store.create_new_trial(self._study_id, template_trial=mine)
        return self._store.get_trial_number_from_id(trial_id)

    def _misjudged(self) -> int | None:
        """The best trial that is over the budget but better than the winner, or the winner if it leaves much room.

        What its circuit took says how large its network may be, the better the nearer it was to the budget. None if each of
        them was trained again already.
        """
        trials, winner, use = self.trials(), self.winner(), self.about.budget.use
        known = {trial.user_attrs["resizes"] for trial in trials if "resizes" in trial.user_attrs}
        found = []
        for trial in trials:
            if trial.state is not TrialState.COMPLETE or trial.number in known:
                continue
            share = use(trial.user_attrs["figures"])
            if share > 1:
                wanted = winner is None or (trial.value or 0.0) > (winner.value or 0.0)
            else:  # once: a network may have nothing to fill the room with
                wanted = trial == winner and share < SPARSE and "resizes" not in trial.user_attrs
            if wanted:
                found.append(trial)
        best = max(found, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)
        return None if best is None else best.number

    def resized(self, number: int) -> int | None:
        """The trial whose network this one trains again; None for none, or if another folder was first."""
        trials = self.trials()
        source: int | None = trials[number].user_attrs.get("resizes")
        if any(trial.user_attrs.get("resizes", -1) == source for trial in trials[:number]):
            return None
        return source

    def _given(self, number: int, warm: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Parameters that a trial does not draw; None for one that draws all."""
        trials, source = self.trials(), self.resized(number)
        if source is not None:
            return {"shift": 0, **trials[source].params, "fill": FULL}  # older studies had no shifts
        place = sum("resizes" not in trial.user_attrs for trial in trials[:number])
        return dict(warm[place]) if place < len(warm) else None

    def _take(self, stack: ExitStack) -> int | None:
        for trial in self._running():
            with suppress(BusyError):
                stack.enter_context(self._held(trial.number))
                return trial.number
        return None

    def _running(self) -> list[FrozenTrial]:
        return [each for each in self.trials(TrialState.RUNNING) if each.user_attrs.get("place") == self.place]

    @contextmanager
    def _held(self, number: int) -> Iterator[None]:
        with locked(self._lock(number), f"another process has trial {number}", "leave it to that one"):
            yield

    def busy(self) -> bool:
        """Whether somebody works on a trial of this place."""
        with FileLock(self.out / "claim.lock"):
            return any(map(self._has_holder, self._running()))

    def _has_holder(self, trial: FrozenTrial) -> bool:
        try:
            with self._held(trial.number):
                return False
        except BusyError:
            return True

    def winner(self) -> FrozenTrial | None:
        """The trial with the best validation accuracy whose circuit fits; of equals the smallest, then the first.

        It depends on nothing but what the study holds.
        """
        fitting = [
            trial
            for trial in self.trials(TrialState.COMPLETE)
            if self.about.budget.use(trial.user_attrs["figures"]) <= 1
        ]
        return max(fitting, key=self._rank, default=None)

    def _rank(self, trial: FrozenTrial) -> tuple[float, float, int]:
        return float(trial.value or 0.0), -self.about.budget.use(trial.user_attrs["figures"]), -trial.number
