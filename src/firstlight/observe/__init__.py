"""At the telescope: equipment and what is done with it. Nothing but `observe/indi*.py` knows INDI."""
