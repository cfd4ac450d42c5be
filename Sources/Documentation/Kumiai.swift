// The articles are in Kumiai.docc; `make docs` builds them, with the symbols of the public library beside them.
