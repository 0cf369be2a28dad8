"""What `home.py` serves: hands over to the page that the address names."""

from __future__ import annotations

import streamlit as st

from paribus_dashboards.frame import pages

if __name__ == "__main__":
    st.navigation(pages(), position="top").run()
