"""What a verdict rests on beside the replicates: a margin, metric, alpha, claim or set of arms chosen after a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from paribus.recipe import canonical_json
from paribus.recipe.identity import result_bearing
from paribus.study.settings import settings_of
from paribus.study.study import Study
from paribus.study.words import CLAIM, TRAINED, Arm, Claim, arm_as_json
from paribus.tracking.studies.replication import Choice, Look, Replication

_MOST_NAMED = 4
TUNING = "tuning"


@dataclass(frozen=True, kw_only=True)
class Term:
    """One thing that a verdict rests on: `key` is equal where it is the same, `words` is what people read."""

    key: str
    words: str


def terms_of(study: Study) -> dict[str, Term]:
    """How the study is judged. Arms count by what they train: another name or order of the same ones is no choice."""
    unit = study.primary.unit
    return {
        "metric": Term(key=study.metric, words=study.metric),
        "margin": Term(key=repr(float(study.margin)), words=f"{study.margin:g} {unit}"),
        "alpha": Term(key=repr(float(study.alpha)), words=f"{100 * study.alpha:g} %"),
        "planned looks": _looks(study),
        "arms": Term(key=_key_of_arms(study), words=_words_of_arms(study)),
        TUNING: _tuning(study),
        CLAIM: Term(key=_key_of_claim(study.claim), words=_words_of_claim(study.claim)),
    }


def _looks(study: Study) -> Term:
    looks = study.adaptive.looks if study.adaptive else ()
    return Term(key=" ".join(map(str, looks)), words=f"at {', '.join(map(str, looks))}" if looks else "none")


def changed(written: Study | None, study: Study) -> dict[str, Term]:
    """The terms of the study as it was run last that are others now; none where the ledger does not say.

    A study at other settings is another study run, whose trials are not these.
    """
    if written is None or settings_of(written).digest != settings_of(study).digest:
        return {}
    now = terms_of(study)
    found = {what: was for what, was in terms_of(written).items() if was.key != now[what].key}
    if all(study.tuned[arm] == levels for arm, levels in written.tuned.items() if arm in study.tuned):
        found.pop(TUNING, None)  # of other arms, which are told
    return found


def chosen(
    kept: Replication, before: Mapping[str, Term], redone: frozenset[str], looks: Sequence[Look], seed: int
) -> tuple[Choice, ...]:
    """All choices after these `looks`: those known, and the change of `before` and of what was trained at `seed`.

    `redone` are the digests of the code of results that are trained again. The same ones again are a run that was
    killed and goes on. Of several changes of one term the first `was` stays, for whoever returns to it has chosen
    nothing after looking, and the last look, since which alone anything is fresh.
    """
    found = {(choice.seed, choice.what): choice for choice in kept.choices}
    for look in looks:
        for what, was in before.items():
            found[look.seed, what] = _later(found.get((look.seed, what)), what, was, look)
        earlier = found.get((look.seed, TRAINED))
        codes = frozenset(earlier.key.split()) if earlier else frozenset()
        if look.seed == seed and not redone <= codes:
            was = Term(key=" ".join(sorted(redone | codes)), words="")
            found[seed, TRAINED] = replace(_later(earlier, TRAINED, was, look), key=was.key)
    return tuple(found.values())


def standing(choices: Sequence[Choice], study: Study) -> tuple[tuple[Choice, str], ...]:
    """The choices that a verdict on the study comes after, each with what holds now; those taken back are none."""
    now = terms_of(study)
    own = [choice for choice in choices if choice.seed == study.seed]
    return tuple(
        (choice, now[choice.what].words if choice.what in now else "")
        for choice in own
        if choice.what == TRAINED or (choice.what in now and choice.key != now[choice.what].key)
    )


def _later(earlier: Choice | None, what: str, was: Term, look: Look) -> Choice:
    first = earlier or Choice(what=what, key=was.key, was=was.words, seed=look.seed, pairs=look.pairs, last=look.last)
    return replace(first, pairs=max(first.pairs, look.pairs), last=max(first.last, look.last))


def _tuning(study: Study) -> Term:
    """What the arms were tuned to, and by how many trials each."""
    if not study.tuned:
        return Term(key="none", words="none")
    levels = {_arm_as_text(arm): sorted(found.items()) for arm, found in study.tuned.items()}
    to = [f"{arm.name} at {Arm.of(found).name}" for arm, found in list(study.tuned.items())[:_MOST_NAMED]]
    more = [f"{len(study.tuned) - _MOST_NAMED} more"] if len(study.tuned) > _MOST_NAMED else []
    words = f"by Tuning(trials={study.tuning.trials}) of each arm ({', '.join([*to, *more])})"
    return Term(key=sha256(canonical_json(levels).encode()).hexdigest(), words=words)


def _arm_as_text(arm: Arm) -> str:
    """An arm by what it is, whatever it is called."""
    return canonical_json(sorted(arm_as_json(arm)))


def _key_of_arms(study: Study) -> str:
    study = replace(study, tuned={}) if study.tuned else study
    trained = {arm: canonical_json(result_bearing(study.recipe_of(arm))) for arm in study.arms}
    pairs = sorted((trained[arm], trained[study.baseline_of(arm)]) for arm in study.arms if arm not in study.baselines)
    return sha256(canonical_json(pairs).encode()).hexdigest()


def _words_of_arms(study: Study) -> str:
    compared = [arm.name for arm in study.arms if arm not in study.baselines]
    named = compared if len(compared) <= _MOST_NAMED else [*compared[: _MOST_NAMED - 1]]
    rest = len(compared) - len(named)
    *first, last = [*named, *([f"{rest} more"] if rest else [])] or ["none"]
    against = study.baselines[0].name if len(study.baselines) == 1 else f"{len(study.baselines)} baselines"
    return f"{', '.join(first)} and {last} against {against}" if first else f"{last} against {against}"


def _key_of_claim(claim: Claim | None) -> str:
    if claim is None:
        return "none"
    arms = {path: list(levels) for path, levels in claim.arms.items()}
    return canonical_json([claim.direction, claim.metric, arms, claim.effect])


def _words_of_claim(claim: Claim | None) -> str:
    if claim is None:
        return "not made"
    size = f" by {claim.effect:g}" if claim.effect is not None else ""
    arms = ", ".join(f"{path} = {' or '.join(map(str, levels))}" for path, levels in claim.arms.items())
    return f"{claim.direction}{size} on {claim.metric}{f' where {arms}' if arms else ''}"
