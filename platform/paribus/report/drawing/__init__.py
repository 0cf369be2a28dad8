"""A `StudyReport` as a person sees it: terminal, page, Markdown, tables and figures."""
