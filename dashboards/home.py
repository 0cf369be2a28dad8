"""The entry, `streamlit run dashboards/home.py`: the pages as an app whose answers are compressed and say at once
what is known of a page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from paribus_dashboards.ahead.insert import Ahead
from paribus_dashboards.ahead.known import PAGES, brief, known, waiting

# Streamlit's own files are most of what a first visit sends, and a browser keeps them.
_FILES_AS_GZIP = Middleware(GZipMiddleware, minimum_size=1_400, compresslevel=6)
_STILL = Middleware(Ahead, PAGES, known, brief, waiting)

app = st.App(Path(__file__).resolve().with_name("navigation.py"), middleware=[_FILES_AS_GZIP, _STILL])
