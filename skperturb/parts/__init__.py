"""Reading files of parts."""
