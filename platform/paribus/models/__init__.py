"""The conv-net families, their blocks and what they cost. Import `paribus.models.build`; nothing here imports torch."""
