"""The entry, `streamlit run dashboards/home.py`: the pages as an app whose files are sent compressed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

# Streamlit's own files are most of what a first visit sends, and a browser keeps them.
_FILES_AS_GZIP = Middleware(GZipMiddleware, minimum_size=1_400, compresslevel=6)

app = st.App(Path(__file__).resolve().with_name("navigation.py"), middleware=[_FILES_AS_GZIP])
