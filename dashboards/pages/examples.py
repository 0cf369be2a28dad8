"""Examples: in which classes and on which images an arm and its baseline differ, by `?study=NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from paribus.report.drawing.figures.example_figures import (
    MOST_CLASSES,
    classes_figure,
    confusion_figure,
    reliability_figure,
)
from paribus.report.views.example_report import (
    ExamplePairs,
    Pair,
    bin_rows,
    class_deltas,
    class_rows,
    confusion,
    example_pairs,
    flip_rows,
    flips,
    flips_sentence,
    num_classes,
    reliability,
)
from paribus.report.views.gallery import gallery_html
from paribus_dashboards.address import choose
from paribus_dashboards.ledger_view import StudyView, examples_of, gallery_of, keys_of
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.picture import show_still
from paribus_dashboards.shown_table import show_table
from paribus_dashboards.study_page import judged, study_page

if TYPE_CHECKING:
    from paribus.report.study_report import Arm, StudyAnalysis

MOST_IMAGES = 25
_GALLERY = """<style>.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem;
padding: 0; list-style: none; font-size: 13px; line-height: 1.35; overflow-wrap: anywhere }
.gallery img { display: block; height: 112px; margin-bottom: .3rem }</style>"""


def main(uri: str, view: StudyView) -> None:
    """One contrast over its evaluation examples."""
    if (analysis := judged(view)) is None:
        return
    st.header("Examples")
    if not analysis.contrasts:
        st.info("There is no contrast: the study has a baseline and no other arm.")
        return
    contrasts = {each.arm.name: each for each in analysis.contrasts}
    name = choose(
        st.selectbox, "Arm", {name: f"{name} against {one.baseline.name}" for name, one in contrasts.items()}, "arm"
    )
    contrast = contrasts[name]
    with st.spinner("Reading what each image came to ..."):
        found = example_pairs(view.report, contrast.arm, contrast.baseline, lambda run: examples_of(uri, run))
    if found.refused:
        st.info(plain(sentence(f"There is nothing to show of images: {found.refused}")))
        return
    show_classes(found.pairs, analysis)
    show_flips(uri, view, contrast.arm, found)
    show_reliability(found.pairs)


def show_classes(pairs: tuple[Pair, ...], analysis: StudyAnalysis) -> None:
    """The classes by themselves, and what is taken for what."""
    st.subheader("By class")
    deltas = class_deltas(pairs, 1 - analysis.alpha)
    show_still(classes_figure(deltas, analysis.alpha), "classes")
    if len(deltas) > MOST_CLASSES:
        st.caption(f"The {MOST_CLASSES} of {len(deltas)} classes that moved most; the table has them all.")
    with st.expander(f"The {len(deltas)} classes as a table"):
        show_table(class_rows(deltas), "classes", "Accuracy of each class, arm minus baseline, with intervals")
    st.caption("Over the replicates in which both trained; p are corrected over the classes.")
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    count = num_classes([*sides[0], *sides[1]])
    if count <= MOST_CLASSES:
        show_still(confusion_figure(*(confusion(side, count) for side in sides)), "confusion")
        st.caption(f"Means over {len(pairs)} replicates. Orange: a mistake that the arm makes more often, blue: less.")


def show_flips(uri: str, view: StudyView, arm: Arm, found: ExamplePairs) -> None:
    """The images that change sides in one replicate after another."""
    st.subheader("Images that change sides")
    flipped = flips(found.pairs)
    st.markdown(plain(sentence(flips_sentence(flipped))))
    keys = keys_of(uri, found.run_id)
    shown = [keys[each.place] for own in (flipped.gained, flipped.lost) for each in own[:MOST_IMAGES] if len(keys)]
    pictures = gallery_of(view, arm, found.run_id, tuple(shown))
    if shown and pictures.refused:
        st.caption(plain(sentence(f"The pictures can't be shown: {pictures.refused}")))
    for title, own in (("The arm gains", flipped.gained), ("The arm loses", flipped.lost)):
        if not own:
            continue
        st.markdown(f"**{title}**" + (f", the first {MOST_IMAGES} of {len(own)}" if len(own) > MOST_IMAGES else ""))
        if html := gallery_html(pictures, own[:MOST_IMAGES], flipped.n, keys):
            st.html(f"{_GALLERY}{html}")
        rows = flip_rows(own, flipped.n, keys)
        name = title.lower().replace(" ", "-")
        show_table(rows[:MOST_IMAGES], name, f"Images: {title.lower()}")


def show_reliability(pairs: tuple[Pair, ...]) -> None:
    """How often each side is right, against how sure it is."""
    st.subheader("How sure, how right")
    arm, baseline = (reliability([pair[side] for pair in pairs]) for side in (0, 1))
    show_still(reliability_figure(arm, baseline), "reliability")
    with st.expander("The bins as tables"):
        for name, own in (("arm", arm), ("baseline", baseline)):
            st.markdown(f"**{name}**")
            show_table(bin_rows(own), f"reliability-{name}", f"Bins of the {name}'s reliability")


study_page("Examples", main)
