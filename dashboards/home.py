"""The entry, `streamlit run dashboards/home.py`: the pages as an app whose files are sent compressed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from paribus_dashboards.compressed import Compressed

app = st.App(Path(__file__).resolve().with_name("navigation.py"), middleware=[Middleware(Compressed)])
