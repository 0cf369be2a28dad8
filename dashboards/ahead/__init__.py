"""What a page shows before Streamlit's own code has come and begun: what is known already, in the HTML itself."""
